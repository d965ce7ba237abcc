//! Connections that are there when a rate comes, changes, and goes.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use plimsoll::kernel::{CgroupRules, TrafficRules};

use super::rate::egress;
use super::wire::{MBIT, OVER_WIRE, Wire, come_first, within};

/// After a change: it must have taken effect then.
const EFFECT: Duration = Duration::from_secs(1);
/// And holds for so long.
const HELD: Duration = Duration::from_millis(2_500);

#[test]
fn a_rate_holds_connections_that_exist_and_lets_them_go() {
    let test = "a_rate_holds_connections_that_exist_and_lets_them_go";
    for flows in ["1", "8"] {
        let Some(mut wire) = Wire::make(test) else {
            return;
        };
        let mut rules = CgroupRules::new();
        rules.prepare();
        come_first();
        let run = wire.start(OVER_WIRE, &["-t", "16", "-P", flows]);
        let began = Instant::now();
        std::thread::sleep(HELD);
        let mut changes = Vec::new();
        for rate in [Some(100), Some(20), Some(100), None] {
            let traffic = rate.map_or_else(TrafficRules::default, |rate| egress(rate * MBIT));
            wire.limit(&mut rules, &traffic);
            let from = began.elapsed() + EFFECT;
            std::thread::sleep(HELD);
            changes.push((rate, from, began.elapsed()));
        }
        let report = wire.finish(run);
        for (rate, from, to) in changes {
            let mean = report.between(from, to);
            match rate {
                Some(rate) => {
                    let what = format!("{flows} flows, {rate} Mbit/s, a second later");
                    within(5.0, mean, (rate * MBIT) as f64, &what);
                }
                None => assert!(mean > 500e6, "{flows} flows, lifted: {mean} bit/s"),
            }
        }
    }
}
