//! What the tests of this room share.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::enforce::{Outcome, Record};
use crate::policy::{Claimant, Evidence, Mode, Once, Step};

/// 2026-11-21T12:04:11Z
pub(super) fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_262_651)
}

pub(super) fn evidence() -> Evidence {
    Evidence {
        condition: "memory.full above 20%".into(),
        observed: "34%".into(),
        at: noon(),
        read: Instant::now(),
        held: Duration::from_secs(3),
    }
}

/// Action `id`, `id` seconds after noon: 64 MiB reclaimed from `web` by `batch/thrash`.
pub(super) fn record(id: u64) -> Record {
    Record {
        id,
        time: noon() + Duration::from_secs(id),
        claimant: Claimant::Policy {
            policy: "batch".into(),
            rule: Some("thrash".into()),
            priority: 10,
        },
        workload: "/docker/4f".into(),
        name: "web".into(),
        mode: Mode::Enforce,
        step: Step::Once(Once::Reclaim { bytes: 67_108_864 }),
        outcome: Outcome::Done,
        before: None,
        after: None,
        caveats: Vec::new(),
        evidence: evidence(),
        took: Duration::from_micros(3_120),
    }
}
