//! Network cap.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Engine, example};
use crate::rules::wire::{RECEIVER, UNLIMITED, Wire};
use crate::support::{installed, poll};

pub(super) const FILE: &str = "network-cap.toml";

/// Arguments: address, port. Exit status: the errno, 0 for success.
const CONNECT: &str = r#"
use strict; use Socket;
my ($address, $port) = @ARGV;
socket(my $socket, AF_INET, SOCK_STREAM, 0) or exit 255;
exit(connect($socket, pack_sockaddr_in($port, inet_aton($address))) ? 0 : $! + 0);
"#;
const EPERM: i32 = 1;
const ECONNREFUSED: i32 = 111;

#[test]
fn so_much_out_and_half_of_it_for_who_fills_the_line() {
    let test = "so_much_out_and_half_of_it_for_who_fills_the_line";
    if !installed(test, "perl") {
        return;
    }
    let engine = Engine::new();
    let Some(cell) = engine.container(test, ("net.class", "capped")) else {
        return;
    };
    let path = cell.path();
    let Some(mut wire) = Wire::from_cgroup(test, cell.into_own()) else {
        return;
    };
    let policy = example(FILE, &[(r#"for = "1m""#, r#"for = "1s""#)]);
    let Some(agent) = engine.agent(test, &policy) else {
        return;
    };
    poll("limit", || {
        let told = agent.say(&["limit", &path]);
        told.contains("net egress=100000000 ingress=200000000")
            .then_some(())
    });
    for (address, port, errno) in [
        (RECEIVER, "25", EPERM),
        ("169.254.169.254", "80", EPERM),
        (RECEIVER, "2525", ECONNREFUSED),
    ] {
        let got = wire.run_in_sender(&["perl", "-e", CONNECT, address, port]);
        assert_eq!(got, Some(errno), "{address}:{port}");
    }

    // The window of five seconds must be full of it. In a cgroup of v1's cpu controller nobody may
    // run in real time, as others do who measure.
    let run = wire.start(UNLIMITED, &["-t", "14"]);
    let report = wire.finish(run);
    let told = agent.say(&["actions", &path]);
    assert!(told.contains("net.egress above 95Mbit"), "{told}");
    let wire_rate = |intervals: &[f64]| {
        let payload = intervals.iter().sum::<f64>() / intervals.len() as f64;
        payload * report.overhead() / 1e6
    };
    let intervals = &report.intervals;
    let (first, last) = (
        wire_rate(&intervals[1..7]),
        wire_rate(&intervals[intervals.len() - 5..intervals.len() - 1]),
    );
    eprintln!("{test}: {first:.1} Mbit/s, then {last:.1}");
    assert!((90.0..105.0).contains(&first), "{first} Mbit/s\n{told}");
    assert!((40.0..60.0).contains(&last), "{last} Mbit/s\n{told}");
}
