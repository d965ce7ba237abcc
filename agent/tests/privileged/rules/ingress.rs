//! Ingress rates: by a queue on the host's end of the workload's veth, by a policer else.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use plimsoll::kernel::{CgroupRules, IngressMethod, TrafficRules};

use super::wire::{MBIT, Wire, id, within};
use crate::support::V2;

fn ingress(bits_per_second: u64) -> TrafficRules {
    TrafficRules {
        ingress_bits_per_second: Some(bits_per_second),
        ..TrafficRules::default()
    }
}

/// The interface's queue in the thread's namespace, in `tc`'s words.
fn queue(interface: &str) -> String {
    let shown = Command::new("tc")
        .args(["qdisc", "show", "dev", interface])
        .output()
        .unwrap();
    String::from_utf8(shown.stdout).unwrap()
}

fn tc(arguments: &[&str]) {
    let status = Command::new("tc").args(arguments).status().unwrap();
    assert!(status.success(), "tc {arguments:?}");
}

#[test]
fn a_veth_is_queued_and_gets_its_own_queue_back() {
    let test = "a_veth_is_queued_and_gets_its_own_queue_back";
    // A thread of its own, whose namespace stands for the host's.
    let body = move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let Some(mut wire) = Wire::make_from_here(test) else {
            return;
        };
        let mut rules = CgroupRules::new();
        let directory = wire.receiver.directory(V2).to_owned();
        let id = id(&wire.receiver);
        let before = queue("wire0");
        for mbit in [10, 100] {
            let applied = rules.set_traffic(&directory, id, &ingress(mbit * MBIT));
            let interface = "wire0".to_owned();
            let queued = Some(IngressMethod::Queue { interface });
            let applied = applied.unwrap();
            assert_eq!(applied.ingress, queued, "{applied:?}");
            let report = wire.send(&["-t", "3", "-P", "4"]);
            let what = format!("{mbit} Mbit/s into a veth");
            within(1.0, report.wire(), (mbit * MBIT) as f64, &what);
        }
        // Whoever comes next finds the queue and takes it off.
        CgroupRules::new().clear_traffic(&directory, id).unwrap();
        assert_eq!(queue("wire0"), before);

        // Somebody else's queue stays, and the rate is policed.
        tc(&[
            "qdisc", "add", "dev", "wire0", "root", "handle", "1:", "htb",
        ]);
        let foreign = queue("wire0");
        let applied = rules
            .set_traffic(&directory, id, &ingress(10 * MBIT))
            .unwrap();
        assert_eq!(applied.ingress, Some(IngressMethod::Policer));
        assert!(applied.caveats[0].contains("htb"), "{:?}", applied.caveats);
        rules.clear_traffic(&directory, id).unwrap();
        assert_eq!(queue("wire0"), foreign);
    };
    std::thread::spawn(body).join().unwrap();
}

#[test]
fn without_a_veth_of_ones_own_ingress_is_policed() {
    let test = "without_a_veth_of_ones_own_ingress_is_policed";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    let directory = wire.receiver.directory(V2).to_owned();
    let applied = rules.set_traffic(&directory, id(&wire.receiver), &ingress(50 * MBIT));
    let applied = applied.unwrap();
    // The veth's other end is not in the test's own namespace.
    assert_eq!(applied.ingress, Some(IngressMethod::Policer));
    assert!(
        applied.caveats[0].contains("other end"),
        "{:?}",
        applied.caveats
    );
    let report = wire.send(&["-t", "4"]);
    within(15.0, report.wire(), 50e6, "policed");
    let counted = rules.counters(&directory, id(&wire.receiver)).unwrap();
    assert!(counted.ingress.dropped_packets > 0, "{counted:?}");
}
