//! What policy, or an operator, asks enforcement to do, and why.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::fate::Fate;
use crate::cgroup::{IoCaps, Knob, Setting};
use crate::kernel::{DeviceRule, TrafficRules};
use crate::ledger::Workload;

/// Something to be done with one workload.
#[derive(Clone, Debug)]
pub struct Order {
    pub claimant: Claimant,
    pub workload: Arc<Workload>,
    pub step: Step,
    /// `Monitor`: is decided, recorded and reported, never carried out.
    pub mode: Mode,
    pub on_conflict: OnConflict,
    pub restore: Restore,
    pub evidence: Evidence,
    /// What becomes of it.
    pub fate: Fate,
}

/// On whose behalf. What one claimant holds, no other lets go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Claimant {
    /// The limits of a policy (`rule: None`), or one of its rules.
    Policy {
        policy: Arc<str>,
        rule: Option<Arc<str>>,
        priority: i32,
    },
    /// A person at the command line: goes before every policy, and stays when the agent ends.
    Operator,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Hold this, in place of what the claimant held of the same thing.
    Hold(Claim),
    /// Let go of what the claimant holds on this workload: the next claim or the original returns.
    Release(Scope),
    Once(Once),
}

/// Which of a claimant's claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    Knob(Knob),
    /// Caps that were claimed by path, whatever disks they came to.
    Io,
    Traffic,
    Devices,
}

/// A limit that is held until it is let go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub limit: Limit,
    /// Let go by itself after this; a policy's freeze always has one.
    #[serde(
        default,
        with = "humantime_serde",
        skip_serializing_if = "Option::is_none"
    )]
    pub at_most: Option<Duration>,
}

/// What is limited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    Cgroup(Wanted),
    /// `io.max` of the disk under a path, found when it is applied.
    Io {
        path: PathBuf,
        caps: IoCaps,
    },
    Traffic(TrafficRules),
    Devices(Vec<DeviceRule>),
}

/// A knob's value, absolute or by what is in force when it is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub knob: Knob,
    pub amount: Amount,
    /// Never above, never below, whatever `amount` comes to.
    pub ceiling: Option<Amount>,
    pub floor: Option<Amount>,
}

/// How much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    Exactly(Setting),
    /// A share of another knob's value, in percent: `80% of memory.max`.
    PercentOf {
        knob: Knob,
        percent: f64,
    },
    /// Of this knob's own value.
    Change(Change),
}

/// A change of a knob's own value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Of the value in force: `+25%` is 1.25. Each application climbs on.
    OfCurrent(f64),
    /// Of the value that would be in force without this claim: `3x` is 3.
    OfOriginal(f64),
}

/// Something that is done once and cannot be let go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Once {
    /// Tells the log and the events; a webhook or a command where given.
    Notify {
        webhook: Option<String>,
        /// Program and arguments; the evidence comes as JSON on its standard input.
        command: Option<Vec<String>>,
        #[serde(with = "humantime_serde")]
        timeout: Duration,
    },
    /// `memory.reclaim`, or its like on v1.
    Reclaim { bytes: u64 },
    Kill {
        scope: Process,
        /// Signal number that is sent first.
        signal: i32,
        /// Then this long is waited before `escalate`.
        #[serde(with = "humantime_serde")]
        grace: Duration,
        /// Signal number; `None`: nothing more is sent.
        escalate: Option<i32>,
    },
    /// An own workload, a systemd unit or a docker container.
    Restart,
}

/// Which processes of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    /// All of them, those of cgroups below too.
    Cgroup,
    /// The one that uses most memory.
    Largest,
    /// The first of it, a container's init.
    Main,
}

/// Whether anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Decide and report.
    Monitor,
    #[default]
    Enforce,
}

/// What to do when somebody else writes a file that a claim holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Theirs stays and becomes the original; the claim goes.
    #[default]
    Yield,
    /// Write ours again, three times a minute at most; then yield.
    Reassert,
    /// Tell, and leave it.
    Alert,
}

/// When the original returns, besides when the condition clears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restore {
    /// When the agent ends, however it ends, or the policy is disabled.
    #[default]
    OnExit,
    /// When the policy is disabled or changed; not when the agent ends.
    OnDisable,
    Never,
}

/// Why: what was seen, when, against what it was held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The condition as the file has it: `memory.usage above 90% of memory.max`.
    pub condition: String,
    /// What was read, with its unit.
    pub observed: String,
    #[serde(with = "humantime_serde")]
    pub at: SystemTime,
    /// When the reading was taken, to measure how long the rest took.
    #[serde(skip, default = "Instant::now")]
    pub read: Instant,
    /// How long the condition had held.
    #[serde(with = "humantime_serde")]
    pub held: Duration,
}
