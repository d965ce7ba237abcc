//! Connections that are there when a rate comes, changes, and goes.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use plimsoll::kernel::{CgroupRules, TrafficRules};

use super::rate::egress;
use super::wire::{MBIT, UNLIMITED, Wire, within};

/// iperf3 reports each half second.
const INTERVAL: Duration = Duration::from_millis(500);

#[test]
fn a_rate_holds_connections_that_exist_and_lets_them_go() {
    let test = "a_rate_holds_connections_that_exist_and_lets_them_go";
    for flows in ["1", "8"] {
        let Some(mut wire) = Wire::make(test) else {
            return;
        };
        let mut rules = CgroupRules::new();
        rules.prepare();
        let run = wire.start(UNLIMITED, &["-t", "10", "-P", flows]);
        let began = Instant::now();
        let mut changes = Vec::new();
        for (at, rate) in [(2, Some(100)), (4, Some(20)), (6, Some(100)), (8, None)] {
            std::thread::sleep(Duration::from_secs(at).saturating_sub(began.elapsed()));
            let traffic = rate.map_or_else(TrafficRules::default, |rate| egress(rate * MBIT));
            wire.limit(&mut rules, &traffic);
            changes.push((began.elapsed(), rate));
        }
        let report = wire.finish(run);
        let ends = changes.iter().skip(1).map(|(end, _)| *end);
        let ends: Vec<_> = ends.chain([Duration::from_secs(10)]).collect();
        for ((from, rate), to) in changes.into_iter().zip(ends) {
            // The first whole interval that begins a second after the change, up to the next one.
            let first = (from + Duration::from_secs(1))
                .div_duration_f64(INTERVAL)
                .ceil() as usize;
            let last = to.div_duration_f64(INTERVAL).floor() as usize;
            let settled = &report.intervals[first..last.min(report.intervals.len())];
            let mean = settled.iter().sum::<f64>() / settled.len() as f64 * report.overhead();
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
