//! What happened, for people and machines: `plimsoll events`, the API, alerts.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cgroup::CgroupKey;

/// One event, numbered without gaps from 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    pub sequence: u64,
    /// In JSON: RFC 3339, UTC, to the nanosecond.
    #[serde(with = "humantime_serde")]
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
    /// Something was decided and not done: it is only said (monitor mode), or must not be done.
    Decision {
        #[serde(flatten)]
        deed: Deed,
    },
    /// Something was done to a workload, tried, or given back.
    Action {
        #[serde(flatten)]
        deed: Deed,
    },
    /// Somebody else wrote a file that a limit is held with.
    Drift {
        /// The kernel's name: `memory.max`.
        what: String,
        ours: String,
        theirs: String,
        /// `yielded`, `reasserted` or `alerted`.
        answer: String,
    },
    /// Records that were lost before this event, by ring.
    Lost {
        ring: String,
        count: u64,
    },
}

impl EventKind {
    /// Does it not come with every process or cgroup?
    #[must_use]
    pub const fn is_seldom(&self) -> bool {
        matches!(
            self,
            Self::OomKill { .. } | Self::NamespaceForeignEnter { .. }
        )
    }

    /// Every class, in the order people read them.
    pub const CLASSES: [&str; 6] = ["cgroup", "namespace", "process", "oom", "policy", "lost"];

    /// Every name, as in JSON's `event` and in filters.
    pub const NAMES: [&str; 18] = [
        "cgroup_mkdir",
        "cgroup_rmdir",
        "cgroup_release",
        "cgroup_rename",
        "cgroup_freeze",
        "cgroup_unfreeze",
        "cgroup_attach_task",
        "cgroup_populated",
        "cgroup_frozen",
        "namespace",
        "namespace_foreign_enter",
        "exec",
        "exit",
        "oom_kill",
        "decision",
        "action",
        "drift",
        "lost",
    ];

    /// The name of this kind, as in JSON's `event` and in filters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CgroupMkdir { .. } => "cgroup_mkdir",
            Self::CgroupRmdir { .. } => "cgroup_rmdir",
            Self::CgroupRelease { .. } => "cgroup_release",
            Self::CgroupRename { .. } => "cgroup_rename",
            Self::CgroupFreeze { .. } => "cgroup_freeze",
            Self::CgroupUnfreeze { .. } => "cgroup_unfreeze",
            Self::CgroupAttachTask { .. } => "cgroup_attach_task",
            Self::CgroupPopulated { .. } => "cgroup_populated",
            Self::CgroupFrozen { .. } => "cgroup_frozen",
            Self::Namespace { .. } => "namespace",
            Self::NamespaceForeignEnter { .. } => "namespace_foreign_enter",
            Self::Exec { .. } => "exec",
            Self::Exit { .. } => "exit",
            Self::OomKill { .. } => "oom_kill",
            Self::Decision { .. } => "decision",
            Self::Action { .. } => "action",
            Self::Drift { .. } => "drift",
            Self::Lost { .. } => "lost",
        }
    }

    /// Group for filters: `cgroup`, `namespace`, `process`, `oom`, `policy`, `lost`.
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
            Self::Decision { .. } | Self::Action { .. } | Self::Drift { .. } => "policy",
            Self::Lost { .. } => "lost",
        }
    }
}

/// What was decided or done, in words; the audit has it in full under its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Number of the action.
    pub action: u64,
    /// On whose behalf: `operator`, a policy, or `policy/rule`.
    pub by: String,
    /// One line: when, who, what, why, and what became of it.
    pub summary: String,
    /// `done`, `dry_run`, `refused`, …
    pub outcome: String,
    pub reason: Option<String>,
    pub condition: String,
    pub observed: String,
}

/// One namespace that changed for the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceChange {
    /// As in `/proc/PID/ns`.
    pub kind: String,
    pub before: u32,
    pub after: u32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::HierarchyId;

    #[test]
    fn every_kind_is_named_as_in_json() {
        let key = CgroupKey {
            hierarchy: HierarchyId::V2,
            id: 7,
        };
        let path = String::from("/x");
        let comm = String::from("sh");
        let kinds = [
            EventKind::CgroupMkdir {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupRmdir {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupRelease {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupRename {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupFreeze {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupUnfreeze {
                cgroup: key,
                path: path.clone(),
            },
            EventKind::CgroupAttachTask {
                cgroup: key,
                path: path.clone(),
                tgid: 1,
                tid: 1,
            },
            EventKind::CgroupPopulated {
                cgroup: key,
                path: path.clone(),
                populated: true,
            },
            EventKind::CgroupFrozen {
                cgroup: key,
                path,
                frozen: true,
            },
            EventKind::Namespace {
                call: "unshare".into(),
                tgid: 1,
                tid: 1,
                comm: comm.clone(),
                changes: Vec::new(),
            },
            EventKind::NamespaceForeignEnter {
                tgid: 1,
                tid: 1,
                comm: comm.clone(),
                kind: "net".into(),
                inode: 1,
                owner: "web".into(),
            },
            EventKind::Exec {
                tgid: 1,
                comm: comm.clone(),
            },
            EventKind::Exit {
                tgid: 1,
                comm: comm.clone(),
                code: Some(0),
                signal: None,
            },
            EventKind::OomKill { tgid: 1, comm },
            EventKind::Decision {
                deed: Deed::default(),
            },
            EventKind::Action {
                deed: Deed::default(),
            },
            EventKind::Drift {
                what: "memory.max".into(),
                ours: "1".into(),
                theirs: "2".into(),
                answer: "yielded".into(),
            },
            EventKind::Lost {
                ring: "lifecycle".into(),
                count: 1,
            },
        ];
        assert_eq!(kinds.len(), EventKind::NAMES.len());
        for (kind, name) in kinds.iter().zip(EventKind::NAMES) {
            assert_eq!(kind.name(), name);
            assert_eq!(serde_json::to_value(kind).unwrap()["event"], name);
            assert!(EventKind::CLASSES.contains(&kind.class()));
        }
    }
}
