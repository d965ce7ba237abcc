//! Egress rates, as the receiver measures them, on the wire from the IP header on.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use plimsoll::kernel::{CgroupRules, TrafficRules};

use super::wire::{BESIDE, LOOPBACK, MBIT, OVER_WIRE, Wire, id, within};
use crate::support::V2;

pub(super) fn egress(bits_per_second: u64) -> TrafficRules {
    TrafficRules {
        egress_bits_per_second: Some(bits_per_second),
        ..TrafficRules::default()
    }
}

#[test]
fn tcp_egress_is_the_rate() {
    let test = "tcp_egress_is_the_rate";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    for (mbit, flows) in [
        (10, 1),
        (10, 8),
        (100, 1),
        (100, 64),
        (1_000, 1),
        (1_000, 8),
    ] {
        wire.limit(&mut rules, &egress(mbit * MBIT));
        let report = wire.send(&["-t", "3", "-P", &flows.to_string()]);
        let what = format!("{mbit} Mbit/s, {flows} flows");
        within(5.0, report.wire(), (mbit * MBIT) as f64, &what);
    }
    let counted = rules
        .counters(wire.sender.directory(V2), id(&wire.sender))
        .unwrap();
    assert!(counted.egress.passed_bytes > 1_000_000, "{counted:?}");
}

/// Their first ten segments alone, which the kernel does not pace, are 0.8 s of the rate: that is paid
/// back in time, and is not taken for what they use, which would leave each of them next to nothing.
#[test]
fn many_connections_at_once_come_to_a_slow_rate() {
    let test = "many_connections_at_once_come_to_a_slow_rate";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    wire.limit(&mut rules, &egress(10 * MBIT));
    let report = wire.send(&["-t", "7", "-P", "64"]);
    within(10.0, report.wire(), (10 * MBIT) as f64, "64 flows");
    let settled = report.between(Duration::from_secs(3), Duration::from_secs(6));
    within(5.0, settled, (10 * MBIT) as f64, "64 flows after 3 s");
}

#[test]
fn udp_egress_is_the_rate() {
    let test = "udp_egress_is_the_rate";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    for (mbit, flows, offered, length) in [
        (10, 1, "20M", "1448"),
        (100, 1, "200M", "1448"),
        (100, 4, "50M", "700"),
    ] {
        wire.limit(&mut rules, &egress(mbit * MBIT));
        let flows = flows.to_string();
        let report = wire.send(&["-u", "-t", "3", "-b", offered, "-l", length, "-P", &flows]);
        let what = format!("{mbit} Mbit/s of UDP, {flows} flows of {offered}");
        within(5.0, report.wire(), (mbit * MBIT) as f64, &what);
    }
    let counted = rules
        .counters(wire.sender.directory(V2), id(&wire.sender))
        .unwrap();
    assert!(counted.egress.dropped_packets > 1_000, "{counted:?}");
}

#[test]
fn tcp_and_udp_share_the_rate() {
    let test = "tcp_and_udp_share_the_rate";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    wire.limit(&mut rules, &egress(50 * MBIT));
    let udp = wire.start(BESIDE, &["-u", "-t", "6", "-b", "100M"]);
    let tcp = wire.start(OVER_WIRE, &["-t", "4", "-P", "4"]);
    let (tcp, udp) = (wire.finish(tcp), wire.finish(udp));
    // UDP alone has all of it, at first and at last; between, each has half.
    let alone = udp.intervals.iter().copied().fold(0.0, f64::max) * udp.overhead();
    within(3.0, alone, 50e6, "UDP alone");
    // From 2 s to 4 s.
    let between = udp.intervals[4..8].iter().sum::<f64>() / 4.0 * udp.overhead();
    within(3.0, tcp.wire() + between, 50e6, "TCP and UDP together");
    within(40.0, tcp.wire(), 25e6, "TCP beside UDP");
}

#[test]
fn loopback_is_not_limited() {
    let test = "loopback_is_not_limited";
    let Some(mut wire) = Wire::make(test) else {
        return;
    };
    let mut rules = CgroupRules::new();
    wire.limit(&mut rules, &egress(MBIT));
    let run = wire.start(LOOPBACK, &["-t", "1"]);
    let report = wire.finish(run);
    assert!(
        report.wire() > 50e6,
        "{} bit/s over loopback",
        report.wire()
    );
}
