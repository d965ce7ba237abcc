//! The catalogue against the lists that hold it, and against what is really written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{lines, name, plain, text};
use crate::config::MetricsConfig;
use crate::identity::{self, Identity};
use crate::metrics::catalogue::{UNEXPORTED, families};
use crate::metrics::exposition::Format;
use crate::metrics::family::{Emit, Kind};
use crate::metrics::fixture;
use crate::metrics::own::OwnMetrics;

/// Every family and its type, in order. A change of this file is a change of the interface.
const FAMILIES: &str = include_str!("../testdata/families.txt");
/// What cAdvisor exports with its default options, and its types.
const CADVISOR: &str = include_str!("../testdata/cadvisor-default.txt");

#[test]
fn the_list_of_families_is_held() {
    let ours: Vec<String> = families()
        .map(|family| format!("{} {}", family.name, family.kind.word()))
        .collect();
    let ours = ours.join("\n");
    assert!(ours == FAMILIES.trim_end(), "the families are now\n{ours}");
}

#[test]
fn all_of_cadvisor_s_defaults_are_exported_or_explained() {
    let exported: BTreeMap<&str, &str> = families()
        .map(|family| (family.name, family.kind.word()))
        .collect();
    let explained: BTreeSet<&str> = UNEXPORTED
        .iter()
        .flat_map(|unexported| unexported.names)
        .copied()
        .collect();
    for line in CADVISOR.lines() {
        let (name, kind) = line.split_once(' ').unwrap();
        match exported.get(name) {
            Some(ours) => assert_eq!(*ours, kind, "{name}"),
            None => assert!(explained.contains(name), "{name} is missing"),
        }
    }
    for name in explained {
        assert!(!exported.contains_key(name), "{name} is both");
    }
}

#[test]
fn names_are_unique_in_both_formats() {
    let mut seen = BTreeSet::new();
    for family in families() {
        let bare = match family.kind {
            Kind::Counter => family.name.strip_suffix("_total"),
            Kind::Info => family.name.strip_suffix("_info"),
            Kind::Gauge | Kind::Histogram => None,
        };
        assert!(seen.insert(bare.unwrap_or(family.name)), "{}", family.name);
        assert!(
            !family.help.is_empty() && !family.source.v2.is_empty(),
            "{}",
            family.name
        );
        let unit_in_name = ["seconds", "bytes"]
            .into_iter()
            .find(|unit| bare.unwrap_or(family.name).ends_with(&format!("_{unit}")));
        if let Some(unit) = unit_in_name {
            assert_eq!(family.unit, unit, "{}", family.name);
        }
    }
}

#[test]
fn the_registry_holds_what_the_catalogue_says() {
    let gathered = OwnMetrics::new().unwrap().gather();
    let registered: BTreeSet<&str> = gathered.iter().map(|family| family.name()).collect();
    let listed: BTreeSet<&str> = families()
        .filter(|family| matches!(family.emit, Emit::Registry))
        .map(|family| family.name)
        .collect();
    assert_eq!(registered, listed);
}

#[test]
fn every_family_is_written_with_its_labels() {
    let mut snapshot = fixture::snapshot(2);
    let mut unit = fixture::workload(3);
    unit.identity = Arc::new(Identity {
        id: "/system.slice/nginx.service".to_owned(),
        kind: identity::Kind::Unit,
        name: Some("nginx.service".to_owned()),
        ..Identity::default()
    });
    snapshot.workloads.push(Arc::new(unit));
    let text = plain(&snapshot);
    let of_machine = ["machine_id", "boot_id"];
    let of_workload = [
        "id",
        "name",
        "image",
        "container",
        "pod",
        "namespace",
        "container_label_com_example_tier",
    ];
    for family in families() {
        let shared: &[&str] = match family.emit {
            Emit::Workload(_) => &of_workload,
            Emit::Machine(_) => &of_machine,
            Emit::Once(_) | Emit::Registry => &[],
        };
        let mut used = BTreeSet::new();
        for (series, _) in lines(&text) {
            let suffixes: &[&str] = match family.kind {
                Kind::Histogram => &["_bucket", "_sum", "_count"],
                Kind::Counter | Kind::Gauge | Kind::Info => &[""],
            };
            let of_family = suffixes
                .iter()
                .any(|suffix| name(series).strip_suffix(suffix) == Some(family.name));
            if of_family {
                used.extend(label_names(series));
            }
        }
        if family.kind == Kind::Histogram {
            assert!(used.remove("le"), "{} has no bucket", family.name);
        }
        let expected: BTreeSet<&str> = shared.iter().chain(family.labels).copied().collect();
        assert_eq!(used, expected, "{}", family.name);
        assert!(
            text.contains(&format!("# TYPE {} {}\n", family.name, family.kind.word())),
            "{}",
            family.name
        );
    }
}

/// Names of the labels of a series whose values have no comma or equals sign.
fn label_names(series: &str) -> impl Iterator<Item = &str> {
    let labels = series.split_once('{').map_or("", |(_, labels)| labels);
    labels
        .split(',')
        .filter_map(|label| Some(label.split_once('=')?.0))
}

#[test]
fn no_series_is_written_twice_and_families_are_not_interleaved() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = text(&fixture::snapshot(20), format, &MetricsConfig::default());
        let mut seen = BTreeSet::new();
        for (series, _) in lines(&text) {
            assert!(seen.insert(series), "{series}");
        }
        let types = text.lines().filter(|line| line.starts_with("# TYPE "));
        let heads: BTreeSet<&str> = types.clone().collect();
        assert_eq!(heads.len(), types.count());
    }
}

#[test]
fn order_is_stable() {
    let order =
        |text: &str| -> Vec<String> { lines(text).map(|(series, _)| series.to_owned()).collect() };
    let snapshot = fixture::snapshot(20);
    assert_eq!(order(&plain(&snapshot)), order(&plain(&snapshot)));
}
