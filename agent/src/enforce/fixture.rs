//! What the tests of this room share.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::cgroup::{HierarchyId, Placement};
use crate::identity::classify;
use crate::ledger::Workload;
use crate::policy::Evidence;

/// Alive, with no readings, in v2.
pub(crate) fn workload(path: &str) -> Workload {
    let placement = Placement {
        paths: [(HierarchyId::V2, path.to_owned())].into(),
    };
    Workload::new(
        Arc::new(classify(path)),
        Arc::new(placement),
        SystemTime::UNIX_EPOCH,
    )
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
