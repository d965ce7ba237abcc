//! How long a scrape takes. Printed, not asserted: a test build is no measure, and the machine may
//! be busy. For numbers that count:
//! `cargo test --config 'profile.test.opt-level=3' -p plimsoll --lib timing -- --nocapture`.

use std::time::Instant;

use crate::config::{ContainersConfig, MetricsConfig};
use crate::metrics::exposition::Format;
use crate::metrics::fixture;
use crate::metrics::own::OwnMetrics;
use crate::metrics::scrape::Scrape;

const ROUNDS: u32 = 5;
/// Most that is in memory of a text at once, for each chunk in flight.
const CHUNK_MOST: usize = 72 << 10;

#[test]
fn scrapes_of_many_workloads_are_timed() {
    let machine = fixture::machine();
    let own = OwnMetrics::new().unwrap();
    let (metrics, containers) = (MetricsConfig::default(), ContainersConfig::default());
    for workloads in [100, 1_000, 10_000] {
        let snapshot = fixture::snapshot(workloads);
        let mut best = f64::INFINITY;
        let mut sizes = (0, 0);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let (mut bytes, mut samples) = (0, 0);
            let scrape = Scrape::new(&snapshot, &machine, own.gather(), &metrics, &containers);
            scrape
                .render(Format::OpenMetrics, |chunk| {
                    assert!(chunk.len() <= CHUNK_MOST, "{}", chunk.len());
                    bytes += chunk.len();
                    samples += chunk.iter().filter(|&&byte| byte == b'\n').count();
                    Ok(())
                })
                .unwrap();
            best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
            sizes = (bytes, samples);
        }
        let (bytes, lines) = sizes;
        assert!(lines as u64 > workloads * 60);
        println!("{workloads} workloads: {best:.2} ms, {lines} lines, {bytes} bytes");
    }
}
