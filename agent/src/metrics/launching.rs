//! How the containers fare that the agent runs itself, as metrics see it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::ledger::Histogram;

/// Where to look: asked once a scrape.
#[derive(Clone)]
pub struct LaunchingSource(Arc<dyn Fn() -> LaunchingReading + Send + Sync>);

/// What was seen. Counts are since the agent started.
#[derive(Clone, Debug, Default)]
pub struct LaunchingReading {
    /// Containers by Docker's word for their state.
    pub states: BTreeMap<&'static str, u64>,
    pub images: u64,
    /// By the name of a container with a restart policy.
    pub restarts: BTreeMap<String, u64>,
    /// By the name of a container with a health check: starting, healthy, unhealthy.
    pub health: BTreeMap<String, &'static str>,
    pub starts: Histogram,
    pub failed_starts: u64,
    pub policy_restarts: u64,
    pub health_checks: u64,
    pub failed_health_checks: u64,
    pub lost_shims: u64,
    pub lost_log_lines: u64,
}

impl LaunchingSource {
    /// `read` does not block for long.
    pub fn new(read: impl Fn() -> LaunchingReading + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn read(&self) -> LaunchingReading {
        (self.0)()
    }
}

impl fmt::Debug for LaunchingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchingSource").finish_non_exhaustive()
    }
}
