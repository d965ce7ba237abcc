//! What a claim is about, so that it can be replaced and let go.

use std::fmt;
use std::path::PathBuf;

use crate::cgroup::Knob;
use crate::policy::order::{Limit, Scope};

/// One thing that a claimant can hold once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Knob(Knob),
    /// Caps of the disk under a path.
    Io(PathBuf),
    Traffic,
    Devices,
}

impl Thing {
    pub(super) fn of(limit: &Limit) -> Self {
        match limit {
            Limit::Cgroup(wanted) => Self::Knob(wanted.knob),
            Limit::Io { path, .. } => Self::Io(path.clone()),
            Limit::Traffic(_) => Self::Traffic,
            Limit::Devices(_) => Self::Devices,
        }
    }

    /// What lets go of it. Which disk is under a path is known to who applies it: caps by path go
    /// together.
    pub(super) const fn scope(&self) -> Scope {
        match self {
            Self::Knob(knob) => Scope::Knob(*knob),
            Self::Io(_) => Scope::Io,
            Self::Traffic => Scope::Traffic,
            Self::Devices => Scope::Devices,
        }
    }
}

/// As people write it: `memory.max`, `io.max of /var/lib`.
impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knob(knob) => knob.fmt(f),
            Self::Io(path) => write!(f, "io.max of {}", path.display()),
            Self::Traffic => f.write_str("net"),
            Self::Devices => f.write_str("devices"),
        }
    }
}
