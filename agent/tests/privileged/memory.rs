//! Memory of the whole agent against the v1 controller's files.
#![allow(clippy::unwrap_used)]

use crate::support::{Agent, OwnCgroup, Settings, installed, poll};

const PAGE: f64 = 4096.0;
const HELD: u64 = 48 << 20;

#[test]
fn memory_is_the_controllers_within_a_page() {
    let test = "memory_is_the_controllers_within_a_page";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &["memory"]) else {
        return;
    };
    // Limits are looked at once in sixty readings: this one is there before the first.
    own.write("memory", "memory.limit_in_bytes", "536870912");
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let file = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
    let output = format!("of={}", file.path().display());
    own.run("dd", &["if=/dev/zero", &output, "bs=1M", "count=8"]);
    let hold = format!("my $held = 'x' x {HELD}; sleep 600");
    own.spawn("perl", &["-e", &hold]);
    poll("held memory", || {
        (own.field("memory", "memory.stat", "rss") >= HELD).then_some(())
    });

    let id = own.path();
    let fields = [
        ("container_memory_rss", "total_rss"),
        ("container_memory_cache", "total_cache"),
        ("container_memory_mapped_file", "total_mapped_file"),
        (
            "container_memory_total_active_file_bytes",
            "total_active_file",
        ),
        (
            "container_memory_total_inactive_file_bytes",
            "total_inactive_file",
        ),
        ("container_memory_file_dirty_bytes", "total_dirty"),
        ("container_memory_file_writeback_bytes", "total_writeback"),
    ];
    // A flush may write the file's pages meanwhile: one moment at which all agree is asked for.
    let oracle = || -> Vec<(&str, f64)> {
        let usage = own.number("memory", "memory.usage_in_bytes");
        let inactive = own.field("memory", "memory.stat", "total_inactive_file");
        let mut values = vec![
            ("container_memory_usage_bytes", usage as f64),
            (
                "container_memory_working_set_bytes",
                (usage - inactive) as f64,
            ),
            (
                "container_memory_max_usage_bytes",
                own.number("memory", "memory.max_usage_in_bytes") as f64,
            ),
        ];
        values.extend(
            fields.map(|(name, field)| (name, own.field("memory", "memory.stat", field) as f64)),
        );
        values
    };
    let (before, metrics) = poll("a moment without change", || {
        let before = oracle();
        let metrics = agent.fresh_scrape();
        (before == oracle()).then_some((before, metrics))
    });
    for (name, kernel) in before {
        let ours = metrics.of(&id, name).unwrap_or_else(|| panic!("no {name}"));
        eprintln!("{test}: {name}: {ours}, kernel {kernel}");
        assert!(
            (ours - kernel).abs() <= PAGE,
            "{name}: {ours}, kernel {kernel}"
        );
    }
    let faults = own.field("memory", "memory.stat", "total_pgfault") as f64;
    let labels = [
        ("id", id.as_str()),
        ("failure_type", "pgfault"),
        ("scope", "hierarchy"),
    ];
    assert_eq!(
        metrics.get("container_memory_failures_total", &labels),
        faults
    );
    assert!(metrics.of(&id, "container_memory_rss").unwrap() >= HELD as f64);
    let limit = metrics.of(&id, "container_spec_memory_limit_bytes");
    assert_eq!(limit, Some(536_870_912.0));
}
