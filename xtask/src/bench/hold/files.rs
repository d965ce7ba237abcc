//! What the kernel says of a workload of the bench's own, by v1's files or v2's.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bench::cgroups::Cgroups;

/// v1's "no limit" is the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;

pub(super) struct Files {
    usage: PathBuf,
    limit: PathBuf,
    freezers: Vec<PathBuf>,
}

impl Files {
    pub(super) fn of(cgroups: &Cgroups, n: usize) -> Result<Self> {
        let memory = cgroups.of("memory", n).context("no memory controller")?;
        let (usage, limit) = match cgroups.v1("memory") {
            Some(_) => ("memory.usage_in_bytes", "memory.limit_in_bytes"),
            None => ("memory.current", "memory.max"),
        };
        let mut freezers = Vec::new();
        if cgroups.v1("freezer").is_some() {
            freezers.extend(cgroups.of("freezer", n).map(|at| at.join("freezer.state")));
        }
        if cgroups.v2().is_some() {
            freezers.extend(cgroups.of("cgroup2", n).map(|at| at.join("cgroup.events")));
        }
        Ok(Self {
            usage: memory.join(usage),
            limit: memory.join(limit),
            freezers,
        })
    }

    pub(super) fn memory_bytes(&self) -> Option<u64> {
        fs::read_to_string(&self.usage).ok()?.trim().parse().ok()
    }

    /// `None`: unlimited.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        let text = fs::read_to_string(&self.limit).ok()?;
        text.trim().parse().ok().filter(|bytes| *bytes < UNLIMITED)
    }

    pub(super) fn is_frozen(&self) -> bool {
        let frozen = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines()
                .any(|line| line == "FROZEN" || line == "frozen 1")
        };
        self.freezers.iter().any(frozen)
    }
}
