//! How long a scrape takes. Printed, not asserted: a test build is no measure, and the machine may
//! be busy. `cargo test --release -p plimsoll --lib timing -- --nocapture` shows numbers that count.

use std::time::Instant;

use http_body_util::BodyExt;

use crate::config::{ContainersConfig, MetricsConfig};
use crate::metrics::exposition::Format;
use crate::metrics::fixture;
use crate::metrics::own::OwnMetrics;
use crate::metrics::scrape::Scrape;
use crate::metrics::tests::endpoint::Endpoint;

/// How many workloads, and how often.
const SIZES: [(u64, u32); 3] = [(100, 5), (1_000, 5), (10_000, 1)];
/// Scrapes over HTTP, of 1,000 workloads.
const SCRAPES: usize = 20;
/// Most that is in memory of a text at once, for each chunk in flight.
const CHUNK_MOST: usize = 72 << 10;

#[test]
fn scrapes_of_many_workloads_are_timed() {
    let machine = fixture::machine();
    let own = OwnMetrics::new().unwrap();
    let (metrics, containers) = (MetricsConfig::default(), ContainersConfig::default());
    for (workloads, rounds) in SIZES {
        let snapshot = fixture::snapshot(workloads);
        let mut best = f64::INFINITY;
        let mut sizes = (0, 0);
        for _ in 0..rounds {
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

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_over_http_are_timed() {
    let endpoint = Endpoint::start(fixture::snapshot(1_000)).await;
    let mut took = Vec::new();
    for _ in 0..SCRAPES {
        let started = Instant::now();
        let mut body = endpoint.get("/metrics", "*/*").await.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame.unwrap().into_data().unwrap_or_default().len();
        }
        took.push(started.elapsed().as_secs_f64() * 1_000.0);
        assert!(bytes > 10_000_000, "{bytes}");
    }
    took.sort_by(f64::total_cmp);
    let (median, worst) = (took[SCRAPES / 2], took[SCRAPES - 1]);
    println!("1000 workloads over HTTP: median {median:.2} ms, worst {worst:.2} ms");
    endpoint.stop().await;
}
