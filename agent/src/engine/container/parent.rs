//! The cgroup that an engine's containers and shims are in.

use std::path::PathBuf;

use super::EngineError;
use crate::launch::{Cgroups, LaunchError};

/// Child that shims live in; no container's id is that short.
const SHIMS: &str = "shims";

/// One engine's alone: it ends what it does not know in there.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    /// From the root of each hierarchy.
    pub(super) path: String,
    /// Whose it is: an engine is known by its data directory.
    owner: PathBuf,
}

impl Parent {
    pub(super) fn new(path: &str, owner: PathBuf) -> Self {
        Self {
            path: path.trim_end_matches('/').to_owned(),
            owner,
        }
    }

    /// The cgroup that shims live in.
    pub(super) fn shims(&self) -> String {
        format!("{}/{SHIMS}", self.path)
    }

    /// Is it free of other engines' containers and shims?
    pub(super) fn require(&self) -> Result<(), EngineError> {
        let cgroups = self.cgroups()?;
        match cgroups.owner() {
            Some(owner) if owner != self.owner && cgroups.is_populated() => {
                let cgroup = self.path.clone();
                Err(EngineError::CgroupInUse { cgroup, owner })
            }
            _ => Ok(()),
        }
    }

    /// Makes it this engine's.
    pub(super) fn take(&self) -> Result<(), EngineError> {
        self.require()?;
        let cgroups = self.cgroups()?;
        let taken = cgroups.make().and_then(|_| cgroups.give(&self.owner));
        Ok(taken.map_err(LaunchError::from)?)
    }

    fn cgroups(&self) -> Result<Cgroups, EngineError> {
        Ok(Cgroups::at(&self.path).map_err(LaunchError::from)?)
    }
}
