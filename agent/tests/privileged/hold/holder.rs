//! Who is killed in [`kills`](super::kills): the room that enforces, with orders at random.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use plimsoll::cgroup::{Knob, Layout, Quota, Setting, placement_of};
use plimsoll::config::AuditConfig;
use plimsoll::enforce;
use plimsoll::enforce::audit::Audit;
use plimsoll::identity::classify;
use plimsoll::ledger::{EventLog, Snapshot, Workload};
use plimsoll::policy::{
    Amount, Claim, Claimant, Evidence, Fate, Limit, Mode, OnConflict, Order, Protect, Restore,
    Scope, Step, Wanted,
};
use tokio::sync::{mpsc, watch};

const MIB: u64 = 1 << 20;

/// Holds, changes and lets go without end. Says `up` in the directory when it has given back what it
/// found, and begins when it finds `go` there.
pub(super) fn hold(directory: &Path, held: u32) -> ! {
    let audit = AuditConfig {
        path: "".into(),
        ..AuditConfig::default()
    };
    let (_orders, ordered) = mpsc::channel(1);
    let (_snapshots, seen) = watch::channel(Arc::new(Snapshot::empty()));
    let (handle, _thread) = enforce::start(enforce::Parts {
        layout: Arc::new(Layout::detect().unwrap()),
        settings: enforce::Settings {
            state_dir: directory.join("state"),
            mode: Mode::Enforce,
            protect: Protect {
                max_actions_per_minute: u32::MAX,
                ..Protect::default()
            },
            guardian: Some((
                env!("CARGO_BIN_EXE_plimsoll").into(),
                vec!["guardian".into()],
            )),
        },
        orders: ordered,
        snapshots: seen,
        log: EventLog::new(100),
        audit: Audit::start(&audit).unwrap(),
        once: enforce::once::Settings::default(),
    })
    .unwrap();
    let workload = Arc::new(workload(held));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        // It answers when it has given back what it found.
        handle.claims().await.unwrap();
        File::create(directory.join("up")).unwrap();
        while !directory.join("go").exists() {
            std::thread::sleep(Duration::from_micros(200));
        }
        loop {
            let (rule, step) = any_step();
            handle.order(order(&workload, rule, step)).await.unwrap();
        }
    });
    unreachable!("it holds until it is killed")
}

fn workload(held: u32) -> Workload {
    let placement = placement_of(held).unwrap();
    let path = placement.paths.values().find(|path| *path != "/").unwrap();
    let identity = Arc::new(classify(path));
    Workload::new(identity, Arc::new(placement), SystemTime::now())
}

/// Of a policy's limits, or its rule.
fn any_step() -> (bool, Step) {
    let quota = |quota_us| {
        Setting::CpuMax(Quota {
            quota_us: Some(quota_us),
            period_us: 100_000,
        })
    };
    let hold = |setting: Setting, at_most| {
        let limit = Limit::Cgroup(Wanted {
            knob: setting.knob(),
            amount: Amount::Exactly(setting),
            ceiling: None,
            floor: None,
        });
        Step::Hold(Claim { limit, at_most })
    };
    let step = match random(9) {
        0 | 1 => hold(Setting::MemoryMax(Some((64 + random(192)) * MIB)), None),
        2 => hold(Setting::PidsMax(Some(10 + random(90))), None),
        // Below the burst that was there, which the kernel then lowers too.
        3 | 4 => hold(quota(10_000 + random(60_000)), None),
        5 | 6 => hold(Setting::Freeze(true), Some(Duration::from_secs(100))),
        7 => Step::Release(Scope::Knob(Knob::Freeze)),
        _ => Step::Release(Scope::All),
    };
    (random(2) == 0, step)
}

fn order(workload: &Arc<Workload>, rule: bool, step: Step) -> Order {
    Order {
        claimant: Claimant::Policy {
            policy: "killed".into(),
            rule: rule.then(|| "at-random".into()),
            priority: 0,
        },
        workload: Arc::clone(workload),
        step,
        mode: Mode::Enforce,
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
        evidence: Evidence {
            condition: "a test".into(),
            observed: String::new(),
            at: SystemTime::now(),
            read: Instant::now(),
            held: Duration::ZERO,
        },
        fate: Fate::default(),
    }
}

/// Below `end`.
pub(super) fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end
}
