//! The part of a host that a decision is about.

use std::sync::Arc;

use crate::cgroup::{HierarchyId, Placement};
use crate::identity::Identity;

/// A cgroup by place: hierarchy and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub hierarchy: HierarchyId,
    pub path: String,
}

impl Site {
    /// Is `path` of `hierarchy` this cgroup, or one below it?
    #[must_use]
    pub fn holds(&self, hierarchy: HierarchyId, path: &str) -> bool {
        if self.hierarchy != hierarchy {
            return false;
        }
        let top = self.path.trim_end_matches('/');
        path.strip_prefix(top)
            .is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// Cgroups and processes, as far as they matter: all that is at or below what would be touched, and
/// the anchors, wherever they are.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub anchors: Vec<Anchor>,
    pub cgroups: Vec<Cgroup>,
    pub residents: Vec<Resident>,
}

/// A process without which the host or the agent is lost.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// `pid 1`, `the agent`, `the guardian`.
    pub what: &'static str,
    pub placement: Placement,
}

/// A cgroup, and what it is.
#[derive(Clone, Debug)]
pub struct Cgroup {
    pub site: Site,
    pub identity: Arc<Identity>,
}

/// A process that protects the cgroup it sits in: an engine's daemon, `sshd`, a kernel thread.
#[derive(Clone, Debug)]
pub struct Resident {
    pub pid: u32,
    /// What it runs, or a kernel thread's name.
    pub program: String,
    pub placement: Placement,
}
