//! What happened, for people and machines: `plimsoll events`, the API, alerts.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cgroup::CgroupKey;

/// One event, numbered without gaps from 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    pub sequence: u64,
    pub time: SystemTime,
    /// cAdvisor-style id (cgroup path) of the workload it happened in, where known.
    pub workload: Option<Arc<str>>,
    /// Its name (container name, unit), where known.
    pub name: Option<Arc<str>>,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds, each with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    CgroupMkdir {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupRmdir {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupRelease {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupRename {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupFreeze {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupUnfreeze {
        cgroup: CgroupKey,
        path: String,
    },
    CgroupAttachTask {
        cgroup: CgroupKey,
        path: String,
        tgid: u32,
        tid: u32,
    },
    CgroupPopulated {
        cgroup: CgroupKey,
        path: String,
        populated: bool,
    },
    CgroupFrozen {
        cgroup: CgroupKey,
        path: String,
        frozen: bool,
    },
    /// `clone`/`clone3` with new namespaces, `unshare`, or `setns`.
    Namespace {
        call: String,
        tgid: u32,
        tid: u32,
        comm: String,
        changes: Vec<NamespaceChange>,
    },
    /// A task entered, by setns, a namespace that belongs to another workload.
    NamespaceForeignEnter {
        tgid: u32,
        tid: u32,
        comm: String,
        kind: String,
        inode: u32,
        owner: String,
    },
    Exec {
        tgid: u32,
        comm: String,
    },
    /// `code` is the exit code, or `signal` the signal that ended it.
    Exit {
        tgid: u32,
        comm: String,
        code: Option<u32>,
        signal: Option<u32>,
    },
    OomKill {
        tgid: u32,
        comm: String,
    },
    /// Records that were lost before this event, by ring.
    Lost {
        ring: String,
        count: u64,
    },
}

impl EventKind {
    /// Group for filters: `cgroup`, `namespace`, `process`, `oom`, `lost`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::CgroupMkdir { .. }
            | Self::CgroupRmdir { .. }
            | Self::CgroupRelease { .. }
            | Self::CgroupRename { .. }
            | Self::CgroupFreeze { .. }
            | Self::CgroupUnfreeze { .. }
            | Self::CgroupAttachTask { .. }
            | Self::CgroupPopulated { .. }
            | Self::CgroupFrozen { .. } => "cgroup",
            Self::Namespace { .. } | Self::NamespaceForeignEnter { .. } => "namespace",
            Self::Exec { .. } | Self::Exit { .. } => "process",
            Self::OomKill { .. } => "oom",
            Self::Lost { .. } => "lost",
        }
    }
}

/// One namespace that changed for the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceChange {
    /// As in `/proc/PID/ns`.
    pub kind: String,
    pub before: u32,
    pub after: u32,
}
