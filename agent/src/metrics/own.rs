//! What the agent counts about scrapes, kept in a registry of its own.

use std::time::Duration;

use prometheus::proto::{Metric, MetricFamily};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::metrics::catalogue::{SCRAPE_BYTES, SCRAPE_DURATION, SCRAPES};
use crate::metrics::family::Kind;
use crate::metrics::samples::Samples;

/// Upper bounds of scrape durations, in seconds.
const SCRAPE_BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The counters, and the registry that holds them.
pub(crate) struct OwnMetrics {
    registry: Registry,
    duration: Histogram,
    bytes: IntCounter,
    finished: IntCounter,
    aborted: IntCounter,
    refused: IntCounter,
}

impl OwnMetrics {
    /// Fails only when two of the names above are one.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let duration = Histogram::with_opts(
            HistogramOpts::new(SCRAPE_DURATION.name, SCRAPE_DURATION.help)
                .buckets(SCRAPE_BOUNDS.to_vec()),
        )?;
        let bytes = IntCounter::new(SCRAPE_BYTES.name, SCRAPE_BYTES.help)?;
        let scrapes = IntCounterVec::new(Opts::new(SCRAPES.name, SCRAPES.help), SCRAPES.labels)?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(scrapes.clone()))?;
        Ok(Self {
            registry,
            duration,
            bytes,
            finished: scrapes.get_metric_with_label_values(&["finished"])?,
            aborted: scrapes.get_metric_with_label_values(&["aborted"])?,
            refused: scrapes.get_metric_with_label_values(&["refused"])?,
        })
    }

    /// The whole body was handed over.
    pub(crate) fn scrape_finished(&self, took: Duration) {
        self.finished.inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// The client hung up, stalled, or the agent stops.
    pub(crate) fn scrape_aborted(&self) {
        self.aborted.inc();
    }

    /// Too many scrapes were under way.
    pub(crate) fn scrape_refused(&self) {
        self.refused.inc();
    }

    /// Part of a body was handed over.
    pub(crate) fn bytes_sent(&self, bytes: usize) {
        self.bytes.inc_by(bytes as u64);
    }

    /// All families as they stand.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Writes the gathered family that has this entry's name.
pub(crate) fn write_gathered(
    gathered: &[MetricFamily],
    name: &str,
    kind: Kind,
    out: &mut Samples<'_>,
) {
    let metrics = gathered
        .iter()
        .filter(|family| family.name() == name)
        .flat_map(MetricFamily::get_metric);
    for metric in metrics {
        write_metric(metric, kind, out);
    }
}

fn write_metric(metric: &Metric, kind: Kind, out: &mut Samples<'_>) {
    let labels: Vec<(&str, &str)> = metric
        .get_label()
        .iter()
        .map(|label| (label.name(), label.value()))
        .collect();
    match kind {
        Kind::Counter => out.push_with(&labels, metric.get_counter().get_value()),
        Kind::Gauge | Kind::Info => out.push_with(&labels, metric.get_gauge().get_value()),
        Kind::Histogram => {
            let histogram = metric.get_histogram();
            out.histogram(
                &labels,
                histogram
                    .get_bucket()
                    .iter()
                    .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
                    .filter(|(upper, _)| upper.is_finite()),
                histogram.get_sample_sum(),
                histogram.get_sample_count(),
            );
        }
    }
}
