//! The part of a host that a decision is about.

use std::sync::Arc;

use crate::cgroup::{HierarchyId, Placement};
use crate::identity::Identity;

/// A cgroup by place: hierarchy and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) hierarchy: HierarchyId,
    pub(crate) path: String,
}

impl Site {
    /// Is `path` of `hierarchy` this cgroup, or one below it?
    #[must_use]
    pub(crate) fn holds(&self, hierarchy: HierarchyId, path: &str) -> bool {
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
pub(crate) struct Tree {
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) cgroups: Vec<Cgroup>,
    pub(crate) residents: Vec<Resident>,
}

/// A process without which the host or the agent is lost.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    /// `pid 1`, `the agent`, `the guardian`.
    pub(crate) what: &'static str,
    pub(crate) placement: Placement,
}

/// A cgroup, and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    pub(crate) site: Site,
    pub(crate) identity: Arc<Identity>,
}

/// A process that protects the cgroup it sits in: an engine's daemon, `sshd`, a kernel thread.
#[derive(Clone, Debug)]
pub(crate) struct Resident {
    pub(crate) pid: u32,
    /// What it runs, or a kernel thread's name.
    pub(crate) program: String,
    pub(crate) placement: Placement,
}
