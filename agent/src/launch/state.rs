//! What is recorded of a workload: the truth that the next agent starts from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use libcontainer::oci_spec::runtime::LinuxCapabilities;
use serde::{Deserialize, Serialize};

use super::{Id, Process};
use crate::cgroup::Placement;

/// `state.json`. What the bundle says is empty until that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    pub id: Id,
    /// How far it came; [`Container::status`](super::Container::status) looks whether it still is.
    pub phase: Phase,
    /// Its first process; from `Created` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Process>,
    /// Whoever makes it, or holds it: absent for `plimsoll oci` once that has returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shim: Option<Process>,
    /// Its output goes through the shim: without that it would block or die.
    pub pumped: bool,
    pub terminal: bool,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// RFC 3339.
    pub created: String,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its cgroup in every hierarchy.
    pub cgroups: Placement,
    /// Those of its first process, where the specification beside this has what that is left to drop by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<LinuxCapabilities>,
}

/// `state.json` of a process that joined a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joiner {
    pub id: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Whoever holds it.
    pub shim: Process,
    /// Its output goes through the shim.
    pub pumped: bool,
    /// RFC 3339.
    pub created: String,
}

/// Stations of a workload's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Creating,
    /// Its first process waits, confined, to be started.
    Created,
    Running,
    Stopped,
}

/// What a workload does now, in the words of the OCI runtime specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    /// The specification's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `exit.json`: how a workload's first process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// As a shell has it: 128 and the signal's number for a killed one.
    pub code: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The kernel's OOM killer took a process of it.
    pub oom_killed: bool,
    /// Nobody saw it end: its shim had been killed. The code is then a guess.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// Lines that did not get into its log: the disk was full.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_lines_lost: u64,
    /// RFC 3339.
    pub at: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The code of a workload of which nobody knows how it ended, as Docker has it.
pub(super) const UNKNOWN_EXIT: u8 = 255;

impl Exit {
    /// It exited with `code`, now.
    pub(super) fn exited(code: u8) -> Self {
        Self {
            code,
            signal: None,
            oom_killed: false,
            unseen: false,
            log_lines_lost: 0,
            at: now(),
        }
    }

    /// A signal ended it, now.
    pub(super) fn killed(signal: i32) -> Self {
        Self {
            signal: Some(signal),
            ..Self::exited(u8::try_from(128 + signal).unwrap_or(UNKNOWN_EXIT))
        }
    }
}

/// This instant in RFC 3339, with nanoseconds.
pub(super) fn now() -> String {
    humantime::format_rfc3339_nanos(std::time::SystemTime::now()).to_string()
}
