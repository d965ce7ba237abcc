//! What the tests of this room share.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::cgroup::{HierarchyId, Placement, Reading};
use crate::identity::classify;
use crate::ledger::{Life, Network, TaskStates, Workload};
use crate::policy::Evidence;

/// Alive, with no readings, in v2.
pub(crate) fn workload(path: &str) -> Workload {
    Workload {
        identity: Arc::new(classify(path)),
        placement: Arc::new(Placement {
            paths: [(HierarchyId::V2, path.to_owned())].into(),
        }),
        life: Life::Alive,
        created: SystemTime::UNIX_EPOCH,
        reading: Reading::default(),
        network: Network::default(),
        tasks: TaskStates::default(),
        oom_kills: 0,
        switches: None,
        execs: 0,
        exits: 0,
        foreign_namespace_enters: 0,
        cpu_cores: 0.0,
    }
}

pub(crate) fn evidence() -> Evidence {
    Evidence {
        condition: "memory.usage above 1MiB".into(),
        observed: "2MiB".into(),
        at: SystemTime::UNIX_EPOCH,
        read: Instant::now(),
        held: Duration::ZERO,
    }
}
