//! Whether a kill would help, by what is used when it comes to it.

use std::fs;

use super::*;
use crate::cgroup::{Controller, Hierarchy, MemoryReading};

/// A kill because of memory. It would only be told: nobody runs errands here.
fn kill(was_mib: u64) -> Order {
    let step = Step::Once(Once::Kill {
        scope: Process::Cgroup,
        signal: 9,
        grace: Duration::ZERO,
        escalate: None,
    });
    let mut order = order(1, policy("a", Some("r")), step);
    order.mode = Mode::Monitor;
    let mut workload = workload("/1");
    workload.reading.memory = Some(MemoryReading {
        usage_bytes: was_mib * MIB,
        ..MemoryReading::default()
    });
    workload.reading.limits.memory_max_bytes = Some(100 * MIB);
    order.workload = Arc::new(workload);
    order
}

/// The snapshot that the order was made from is as old as a tick, or older.
#[test]
fn what_it_used_a_tick_ago_does_not_count() {
    let mount = tempfile::tempdir().unwrap();
    let cgroup = mount.path().join("1");
    fs::create_dir(&cgroup).unwrap();
    let now = |usage_mib: u64, max_mib: u64| {
        let write = |file, mib| fs::write(cgroup.join(file), format!("{}\n", mib * MIB)).unwrap();
        write("memory.current", usage_mib);
        write("memory.max", max_mib);
    };
    let layout = Layout::from_hierarchies(vec![Hierarchy {
        id: HierarchyId::V2,
        mount: mount.path().to_owned(),
        root: "/".to_owned(),
        controllers: vec![Controller::Memory],
        name: None,
    }]);
    let mut bench = Bench::new();
    bench.enforcer.control = Box::new(move |owner| Control::open(&layout, &owner.placement));
    let mut outcome = |was_mib| bench.order(kill(was_mib)).outcome.clone();

    now(90, 100);
    assert_eq!(outcome(10), Outcome::DryRun, "it has grown since");
    now(10, 100);
    let refused = outcome(90);
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    now(90, 1_000);
    let refused = outcome(90);
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    assert_eq!(bench.enforcer.status().refusals["no_gain"], 2);
}
