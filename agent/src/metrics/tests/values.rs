//! What the samples say, family by family where there is something to decide.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::{plain, samples, text};
use crate::cgroup::Reading;
use crate::config::MetricsConfig;
use crate::identity::{Identity, Kind};
use crate::ledger::{Life, Network, ProbeState, Snapshot, TaskStates, Workload};
use crate::metrics::exposition::Format;
use crate::metrics::fixture;

/// A snapshot of one workload whose only label is `id="/w"`, changed by `change`.
fn one(change: impl FnOnce(&mut Workload)) -> Snapshot {
    let mut workload = fixture::workload(1);
    workload.identity = Arc::new(Identity {
        id: "/w".to_owned(),
        kind: Kind::Container,
        ..Identity::default()
    });
    change(&mut workload);
    Snapshot {
        workloads: vec![Arc::new(workload)],
        ..fixture::empty()
    }
}

/// The value of a series in the plain text, if it is there.
fn value(snapshot: &Snapshot, series: &str) -> Option<String> {
    samples(&plain(snapshot))
        .get(series)
        .map(|value| (*value).to_owned())
}

fn assert_values(snapshot: &Snapshot, expected: &[(&str, &str)]) {
    let text = plain(snapshot);
    let samples = samples(&text);
    for (series, value) in expected {
        assert_eq!(samples.get(series), Some(value), "{series}");
    }
}

fn assert_absent(snapshot: &Snapshot, families: &[&str]) {
    let text = plain(snapshot);
    for family in families {
        assert!(!text.contains(&format!("# TYPE {family} ")), "{family}");
    }
}

#[test]
fn kernel_counts_are_written_exactly() {
    assert_values(
        &one(|_| ()),
        &[
            (
                r#"container_cpu_usage_seconds_total{id="/w",cpu="total"}"#,
                "12.345678902",
            ),
            (
                r#"container_cpu_cfs_throttled_seconds_total{id="/w"}"#,
                "1.5",
            ),
            (r#"container_memory_working_set_bytes{id="/w"}"#, "90000001"),
            (
                r#"container_memory_failures_total{id="/w",failure_type="pgmajfault",scope="hierarchy"}"#,
                "12",
            ),
            (
                r#"container_pressure_cpu_waiting_seconds_total{id="/w"}"#,
                "1.234568",
            ),
            (
                r#"container_pressure_io_stalled_seconds_total{id="/w"}"#,
                "0.234568",
            ),
            (r#"container_start_time_seconds{id="/w"}"#, "1699999999.25"),
            (r#"container_cpu_load_average_10s{id="/w"}"#, "750.0"),
            (
                r#"container_tasks_state{id="/w",state="uninterruptible"}"#,
                "1",
            ),
            (r#"container_threads{id="/w"}"#, "6"),
        ],
    );
}

#[test]
fn what_is_not_known_is_absent() {
    let snapshot = one(|workload| {
        workload.reading = Reading::default();
        workload.network = Network::default();
        workload.tasks = TaskStates::default();
        workload.switches = None;
    });
    assert_absent(
        &snapshot,
        &[
            "container_cpu_usage_seconds_total",
            "container_cpu_user_seconds_total",
            "container_memory_usage_bytes",
            "container_memory_failures_total",
            "container_spec_memory_limit_bytes",
            "container_spec_cpu_shares",
            "container_fs_reads_bytes_total",
            "container_network_receive_bytes_total",
            "container_pressure_cpu_waiting_seconds_total",
            "container_threads",
            "container_tasks_state",
            "plimsoll_container_context_switches_total",
        ],
    );
}

#[test]
fn quota_counters_need_a_quota() {
    let snapshot = one(|workload| workload.reading.limits.cpu_quota_us = None);
    assert_absent(
        &snapshot,
        &[
            "container_cpu_cfs_periods_total",
            "container_spec_cpu_quota",
        ],
    );
    assert!(value(&snapshot, r#"container_spec_cpu_period{id="/w"}"#).is_some());
}

#[test]
fn no_limit_is_zero() {
    assert_values(
        &one(|workload| {
            workload.reading.limits.memory_max_bytes = None;
            workload.reading.pids.as_mut().unwrap().max = None;
        }),
        &[
            (r#"container_spec_memory_limit_bytes{id="/w"}"#, "0"),
            (r#"container_spec_memory_swap_limit_bytes{id="/w"}"#, "0"),
            (
                r#"container_spec_memory_reservation_limit_bytes{id="/w"}"#,
                "536870912",
            ),
            (r#"container_threads_max{id="/w"}"#, "0"),
        ],
    );
}

#[test]
fn traffic_is_the_sockets_and_loopback_is_apart() {
    let snapshot = one(|_| ());
    assert_values(
        &snapshot,
        &[
            (
                r#"container_network_receive_bytes_total{id="/w",interface="eth0"}"#,
                "1000001",
            ),
            (
                r#"container_network_receive_packets_dropped_total{id="/w",interface="eth0"}"#,
                "2",
            ),
            (
                r#"container_network_transmit_errors_total{id="/w",interface="eth0"}"#,
                "3",
            ),
            (
                r#"plimsoll_container_network_loopback_transmit_bytes_total{id="/w"}"#,
                "2000001",
            ),
        ],
    );
    assert!(!plain(&snapshot).contains(r#"interface="lo""#));
}

#[test]
fn traffic_of_the_host_is_its_devices() {
    let snapshot = one(|workload| {
        workload.identity = Arc::new(Identity {
            id: "/".to_owned(),
            kind: Kind::Host,
            ..Identity::default()
        });
    });
    assert_values(
        &snapshot,
        &[(
            r#"container_network_receive_bytes_total{id="/",interface="eth0"}"#,
            "1014000",
        )],
    );
}

#[test]
fn without_probes_traffic_is_the_devices() {
    assert_values(
        &one(|workload| workload.network.interfaces = None),
        &[(
            r#"container_network_transmit_bytes_total{id="/w",interface="eth0"}"#,
            "2028000",
        )],
    );
}

#[test]
fn operations_of_v1_are_told_apart() {
    let device = r#"id="/w",device="253:7",major="253",minor="7""#;
    let series = |operation: &str| {
        format!(r#"container_blkio_device_usage_total{{{device},operation="{operation}"}}"#)
    };
    let v2 = one(|_| ());
    assert_eq!(value(&v2, &series("Write")).as_deref(), Some("1025024"));
    assert_eq!(value(&v2, &series("Total")), None);
    let v1 = one(|workload| {
        for io in workload.reading.io.iter_mut().flatten() {
            io.sync_bytes = Some(10);
            io.async_bytes = Some(20);
        }
    });
    assert_eq!(value(&v1, &series("Sync")).as_deref(), Some("10"));
    assert_eq!(value(&v1, &series("Async")).as_deref(), Some("20"));
    assert_eq!(value(&v1, &series("Discard")).as_deref(), Some("512"));
    assert_eq!(value(&v1, &series("Total")).as_deref(), Some("1538048"));
    assert_eq!(
        value(
            &v2,
            r#"container_fs_sector_reads_total{id="/w",device="253:7"}"#
        )
        .as_deref(),
        Some("1001")
    );
}

#[test]
fn the_dead_were_last_seen_at_their_end() {
    let since = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let dead = one(|workload| workload.life = Life::Dead { since });
    assert_values(
        &dead,
        &[
            (r#"container_last_seen{id="/w"}"#, "1600000000"),
            (r#"container_memory_rss{id="/w"}"#, "60000000"),
            (r#"plimsoll_workloads{state="dead"}"#, "1"),
        ],
    );
    let before = std::time::SystemTime::now() - Duration::from_millis(1);
    let seen = value(&one(|_| ()), r#"container_last_seen{id="/w"}"#).unwrap();
    let seen = UNIX_EPOCH + Duration::from_secs_f64(seen.parse().unwrap());
    assert!(seen >= before, "{seen:?} is before {before:?}");
}

#[test]
fn timestamps_are_of_the_reading_or_the_end() {
    let metrics = MetricsConfig {
        timestamps: true,
        ..MetricsConfig::default()
    };
    let since = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let mut snapshot = one(|_| ());
    snapshot.taken = fixture::taken();
    let alive = text(&snapshot, Format::Text, &metrics);
    assert!(alive.contains("container_memory_rss{id=\"/w\"} 60000000 1700000000250\n"));
    assert!(alive.contains("container_spec_memory_limit_bytes{id=\"/w\"} 1073741824\n"));
    assert!(alive.contains("machine_cpu_cores{machine_id=\"m\",boot_id=\"b\"} 4\n"));
    let dead = one(|workload| workload.life = Life::Dead { since });
    let dead = text(&dead, Format::OpenMetrics, &metrics);
    assert!(dead.contains("container_memory_rss{id=\"/w\"} 60000000 1600000000\n"));
    assert!(dead.ends_with("\n# EOF\n"));
}

#[test]
fn a_probe_that_is_off_makes_no_zeros() {
    let families = [
        "container_oom_events_total",
        "plimsoll_host_oom_kills_total",
    ];
    let with = |state| {
        let mut snapshot = one(|_| ());
        snapshot.tick = 1;
        snapshot.agent.probes = vec![fixture::probe("mark_victim", state)];
        snapshot
    };
    for state in [
        ProbeState::Disabled,
        ProbeState::Failed("refused".to_owned()),
        ProbeState::Unsupported("no BTF".to_owned()),
    ] {
        assert_absent(&with(state), &families);
    }
    let series = r#"container_oom_events_total{id="/w"}"#;
    let degraded = ProbeState::Degraded("only the pid".to_owned());
    let degraded = with(degraded);
    assert_values(
        &degraded,
        &[(series, "1"), ("plimsoll_host_oom_kills_total", "0")],
    );
}

#[test]
fn a_probe_is_in_one_state() {
    let mut snapshot = fixture::empty();
    let failed = ProbeState::Failed("refused".to_owned());
    snapshot.agent.probes = vec![fixture::probe("sched_switch", failed)];
    let series = |state: &str| {
        format!(
            r#"plimsoll_probe_state{{probe="sched_switch",hook="tp_btf/sched_switch",state="{state}"}}"#
        )
    };
    for state in ["attached", "degraded", "unsupported", "failed", "disabled"] {
        let expected = if state == "failed" { "1" } else { "0" };
        assert_eq!(value(&snapshot, &series(state)).as_deref(), Some(expected));
    }
}

#[test]
fn histograms_are_cumulative_and_end_in_infinity() {
    assert_values(
        &fixture::snapshot(0),
        &[
            (
                r#"plimsoll_reading_duration_seconds_bucket{le="0.001"}"#,
                "3",
            ),
            (
                r#"plimsoll_reading_duration_seconds_bucket{le="0.01"}"#,
                "6",
            ),
            (
                r#"plimsoll_reading_duration_seconds_bucket{le="+Inf"}"#,
                "7",
            ),
            ("plimsoll_reading_duration_seconds_count", "7"),
            ("plimsoll_reading_duration_seconds_sum", "0.0525"),
            (
                r#"plimsoll_scrape_duration_seconds_bucket{le="0.0025"}"#,
                "0",
            ),
            (
                r#"plimsoll_scrape_duration_seconds_bucket{le="0.005"}"#,
                "1",
            ),
            (r#"plimsoll_scrape_duration_seconds_bucket{le="+Inf"}"#, "1"),
            (r#"plimsoll_scrapes_total{outcome="finished"}"#, "1.0"),
        ],
    );
}

#[test]
fn before_the_first_tick_there_is_an_error_and_no_zeros() {
    let snapshot = fixture::empty();
    assert_values(&snapshot, &[("container_scrape_error", "1")]);
    assert_absent(
        &snapshot,
        &[
            "plimsoll_host_cpu_busy_seconds_total",
            "plimsoll_unattributed_cpu_seconds_total",
            "plimsoll_snapshot_timestamp_seconds",
            "container_last_seen",
        ],
    );
}
