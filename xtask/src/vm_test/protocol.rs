//! What host and guest tell each other: the plan goes in with the initramfs, messages come back
//! over the second serial port, one JSON value a line.

use serde::{Deserialize, Serialize};

/// Where the plan is in the guest.
pub(super) const PLAN: &str = "/plan.json";
/// Folder whose files the guest hands back: tests write them there.
pub(super) const OUTBOX: &str = "/outbox";
/// Serial number of the disk with the system of [`World::Systemd`].
pub(super) const SYSTEM_DISK: &str = "system";
/// Tells the tests that they are in a guest, and where [`OUTBOX`] is.
pub(super) const OUTBOX_VARIABLE: &str = "PLIMSOLL_VM_OUTBOX";

/// How cgroups are mounted, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum World {
    /// cgroup v2 alone, with every controller.
    V2,
    /// v1 controllers, and cgroup v2 without controllers beside them.
    Hybrid,
    /// v1 controllers alone.
    V1,
    /// cgroup v2 alone, as systemd sets it up, with the engines of its distribution.
    Systemd,
}

impl World {
    pub(super) const ALL: [Self; 4] = [Self::V2, Self::Hybrid, Self::V1, Self::Systemd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
            Self::V1 => "v1",
            Self::Systemd => "systemd",
        }
    }

    /// Whether there is no v1 hierarchy.
    pub(super) fn is_pure_v2(self) -> bool {
        match self {
            Self::V2 | Self::Systemd => true,
            Self::Hybrid | Self::V1 => false,
        }
    }
}

/// What the guest is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) world: World,
    /// Modules to load, in this order.
    pub(super) modules: Vec<String>,
    pub(super) programs: Vec<Program>,
}

/// A test program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) arguments: Vec<String>,
    pub(super) timeout_s: u64,
}

impl Program {
    /// The same with these of its tests alone; each is a program's name and a test's.
    pub(super) fn only(&self, tests: &[(String, String)]) -> Option<Self> {
        let own = tests.iter().filter(|(program, _)| *program == self.name);
        let own: Vec<String> = own.map(|(_, test)| test.clone()).collect();
        if own.is_empty() {
            return None;
        }
        let flags = self.arguments.iter().filter(|word| word.starts_with('-'));
        Some(Self {
            arguments: flags.cloned().chain(own).collect(),
            ..self.clone()
        })
    }
}

/// What the guest says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// The guest is set up; tests begin.
    Up { release: String, seconds: f64 },
    /// The guest could not be set up.
    Broken { why: String },
    Test {
        program: String,
        name: String,
        outcome: TestOutcome,
    },
    /// A program ended; `status` as people read it, `passed` by its exit code.
    Ended {
        program: String,
        passed: bool,
        status: String,
        seconds: f64,
    },
    /// A file of the outbox.
    File { name: String, text: String },
    /// Nothing more comes.
    Done { seconds: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TestOutcome {
    Passed,
    Failed,
    Ignored,
    /// It began, and never ended.
    Unfinished,
}
