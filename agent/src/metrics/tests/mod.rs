//! Tests of the room as a whole: from a snapshot to the text, and over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod catalogue;
mod endpoint;
mod promtool;
mod timing;
mod values;

use std::collections::BTreeMap;

use crate::config::{ContainersConfig, MetricsConfig};
use crate::ledger::Snapshot;
use crate::metrics::exposition::Format;
use crate::metrics::fixture;
use crate::metrics::own::OwnMetrics;
use crate::metrics::scrape::Scrape;

/// The whole text of one scrape.
fn text(snapshot: &Snapshot, format: Format, metrics: &MetricsConfig) -> String {
    let containers = ContainersConfig {
        store_container_labels: true,
        ..ContainersConfig::default()
    };
    let machine = fixture::machine();
    let own = OwnMetrics::new().unwrap();
    own.scrape_finished(std::time::Duration::from_millis(3));
    let scrape = Scrape::new(snapshot, &machine, own.gather(), metrics, &containers);
    let scrape = scrape
        .with_hold(Some(fixture::hold()))
        .with_launching(Some(fixture::launching()));
    let mut text = Vec::new();
    scrape
        .render(format, |chunk| {
            text.extend_from_slice(&chunk);
            Ok(())
        })
        .unwrap();
    String::from_utf8(text).unwrap()
}

/// In text 0.0.4 with the default configuration.
fn plain(snapshot: &Snapshot) -> String {
    text(snapshot, Format::Text, &MetricsConfig::default())
}

/// Value by series, name and labels as written.
fn samples(text: &str) -> BTreeMap<&str, &str> {
    lines(text).collect()
}

/// Series and value of each line of a text without timestamps.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
}

/// Name of a series.
fn name(series: &str) -> &str {
    series.split('{').next().unwrap()
}
