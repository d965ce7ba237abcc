//! Rules outlive whoever set them, and whoever comes next can read, change and clear them.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use plimsoll::kernel::{
    AddressRange, CgroupRules, DeviceKind, DeviceRule, PortRange, RulesError, TrafficRules,
    leftovers,
};

use super::rate::egress;
use super::wire::{MBIT, OVER_WIRE, Wire, come_first, id, within};
use crate::support::own_cgroup::mount_of;
use crate::support::{OwnCgroup, V2};

fn everything() -> TrafficRules {
    TrafficRules {
        egress_bits_per_second: Some(20 * MBIT + 3),
        ingress_bits_per_second: Some(30 * MBIT),
        burst_bytes: Some(100_000),
        connect_allow: vec![range("10.0.0.0", 8, None)],
        connect_deny: vec![range("10.9.0.0", 16, Some(80)), range("fd00::", 8, None)],
        bind_allow: vec![PortRange {
            first: 1_000,
            last: 2_000,
        }],
        bind_deny: Vec::new(),
    }
}

fn range(address: &str, prefix_length: u8, port: Option<u16>) -> AddressRange {
    AddressRange {
        address: address.parse().unwrap(),
        prefix_length,
        port,
    }
}

#[test]
fn rules_are_found_again_and_read_back_as_they_were_set() {
    let test = "rules_are_found_again_and_read_back_as_they_were_set";
    let Some(own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let directory = own.directory(V2);
    let devices = [DeviceRule {
        allow: false,
        kind: DeviceKind::Char,
        major: Some(10),
        minor: None,
        access: "rw".to_owned(),
    }];
    let mut first = CgroupRules::new();
    assert_eq!(
        first.traffic(directory, id(&own)).unwrap(),
        TrafficRules::default()
    );
    let applied = first
        .set_traffic(directory, id(&own), &everything())
        .unwrap();
    assert_eq!(applied.refused, []);
    first.set_devices(directory, id(&own), &devices).unwrap();
    drop(first);

    let found = leftovers(&mount_of(V2).unwrap());
    let found = found.iter().find(|one| one.cgroup == directory).unwrap();
    assert_eq!(
        (found.id, found.traffic, found.devices),
        (id(&own), true, true)
    );
    let mut second = CgroupRules::new();
    assert_eq!(second.traffic(directory, found.id).unwrap(), everything());
    assert_eq!(second.devices(directory, found.id).unwrap(), devices);

    second.clear_traffic(directory, found.id).unwrap();
    assert_eq!(
        second.traffic(directory, found.id).unwrap(),
        TrafficRules::default()
    );
    assert_eq!(second.devices(directory, found.id).unwrap(), devices);
    second.clear_devices(directory, found.id).unwrap();
    let found = leftovers(&mount_of(V2).unwrap());
    assert!(found.iter().all(|one| one.cgroup != directory), "{found:?}");
}

#[test]
fn a_rate_goes_on_and_its_sockets_are_given_back_by_another() {
    let test = "a_rate_goes_on_and_its_sockets_are_given_back_by_another";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    come_first();
    let run = wire.start(OVER_WIRE, &["-t", "12", "-P", "4"]);
    let began = Instant::now();
    wire.limit(&mut CgroupRules::new(), &egress(50 * MBIT));
    let from = began.elapsed() + Duration::from_secs(1);
    std::thread::sleep(Duration::from_secs(3));
    let to = began.elapsed();
    let mut next = CgroupRules::new();
    let directory = wire.sender.directory(V2);
    next.clear_traffic(directory, id(&wire.sender)).unwrap();
    let cleared = began.elapsed() + Duration::from_secs(1);
    let report = wire.finish(run);
    let held = report.between(from, to);
    within(5.0, held, 50e6, "nobody tends it");
    let given_back = report.between(cleared, Duration::from_secs(11));
    assert!(given_back > 500e6, "given back: {given_back} bit/s");
}

#[test]
fn a_cgroup_that_is_not_the_one_is_vanished() {
    let test = "a_cgroup_that_is_not_the_one_is_vanished";
    let Some(own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let directory = own.directory(V2);
    let mut rules = CgroupRules::new();
    let other = id(&own) + 1;
    let refused = rules.set_traffic(directory, other, &egress(MBIT));
    assert!(matches!(refused, Err(RulesError::Vanished { .. })));
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = rules.set_traffic(elsewhere.path(), 1, &egress(MBIT));
    assert!(matches!(refused, Err(RulesError::NotCgroup2 { .. })));
    rules.clear_traffic(&directory.join("gone"), 1).unwrap();
}
