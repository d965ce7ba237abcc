//! What containers use by their engine's account, as `docker stats` has it.

use std::time::Duration;

use bollard::models::{ContainerCpuStats, ContainerStatsResponse, ContainerSummary};
use futures_util::future::join_all;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::units;
use super::client::{Engine, segment};
use super::human;
use super::listing::{self, Column, Row};
use super::template::Form;
use crate::api::ClientError;

const TITLES: [Column; 8] = [
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];
const PAUSE: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// All that run, if there are none.
    pub(crate) names: Vec<String>,
    /// Those too that do not run.
    pub(crate) all: bool,
    pub(crate) no_stream: bool,
    pub(crate) no_trunc: bool,
    pub(crate) form: Option<Form>,
}

/// Whether it is the engine that can tell of these: they are its containers; or nobody else is there.
pub(crate) async fn is_asked(engine: &Engine, names: &[String]) -> bool {
    if names.is_empty() {
        let version = engine.agent.version().await;
        return matches!(
            version,
            Err(ClientError::NotUnderstood(_) | ClientError::Refused { .. })
        );
    }
    let known = names.iter().map(async |name| {
        let path = format!("/containers/{}/json", segment(name));
        engine.get::<IgnoredAny>(&path, &[]).await.is_ok()
    });
    join_all(known).await.into_iter().all(|known| known)
}

/// Prints once, or again and again.
pub(crate) async fn run(wanted: Wanted, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    loop {
        let names = match wanted.names.is_empty() {
            true => running(engine, wanted.all).await?,
            false => wanted.names.clone(),
        };
        let readings = names.iter().map(async |name| {
            let path = format!("/containers/{}/stats", segment(name));
            engine
                .get::<ContainerStatsResponse>(&path, &[("stream", "0")])
                .await
        });
        let mut rows = Vec::new();
        for reading in join_all(readings).await {
            match reading {
                Ok(reading) => rows.push(row(&reading, wanted.no_trunc)),
                // One that was not named, and is gone meanwhile.
                Err(ClientError::Refused { .. }) if wanted.names.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let usual = TITLES.map(|(name, _)| name);
        let text = listing::text(rows, wanted.form.as_ref(), &TITLES, &usual)?;
        if out.is_terminal() && !wanted.no_stream {
            out.text("\x1b[H\x1b[2J")?;
        }
        out.text(&text)?;
        out.flush()?;
        if wanted.no_stream {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn running(engine: &Engine, all: bool) -> Result<Vec<String>, ClientError> {
    let query = [("all", if all { "1" } else { "0" })];
    let list: Vec<ContainerSummary> = engine.get("/containers/json", &query).await?;
    Ok(list
        .into_iter()
        .filter_map(|container| container.id)
        .collect())
}

fn row(reading: &ContainerStatsResponse, whole: bool) -> Row {
    let id = reading.id.as_deref().unwrap_or_default();
    let name = reading.name.as_deref().unwrap_or_default();
    let memory = reading.memory_stats.clone().unwrap_or_default();
    let used = memory_used(
        &memory.stats.unwrap_or_default(),
        memory.usage.unwrap_or_default(),
    );
    let limit = memory.limit.unwrap_or_default();
    let networks = reading.networks.iter().flatten();
    let (received, sent) = networks.fold((0, 0), |(received, sent), (_, network)| {
        let more = |bytes: Option<u64>| bytes.unwrap_or_default();
        (
            received + more(network.rx_bytes),
            sent + more(network.tx_bytes),
        )
    });
    let pids = reading.pids_stats.as_ref().and_then(|pids| pids.current);
    let fields = [
        (
            "ID",
            if whole { id } else { human::short_id(id) }.to_owned(),
        ),
        ("Name", name.trim_start_matches('/').to_owned()),
        ("CPUPerc", units::percent(Some(cpu_percent(reading)))),
        (
            "MemUsage",
            format!("{} / {}", units::memory(used), units::memory(limit)),
        ),
        ("MemPerc", units::percent(Some(share(used, limit)))),
        ("NetIO", units::traffic_pair(Some((received, sent)))),
        ("BlockIO", units::traffic_pair(Some(block(reading)))),
        ("PIDs", pids.unwrap_or_default().to_string()),
    ];
    fields
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::String(text)))
        .collect()
}

/// Without the page cache that can be taken back at once: under its name of cgroup v1 or v2.
fn memory_used(stats: &std::collections::HashMap<String, u64>, usage: u64) -> u64 {
    let inactive = stats
        .get("total_inactive_file")
        .or_else(|| stats.get("inactive_file"));
    match inactive {
        Some(inactive) if *inactive < usage => usage - inactive,
        _ => usage,
    }
}

/// Of one CPU, between the two readings of the answer.
fn cpu_percent(reading: &ContainerStatsResponse) -> f64 {
    let total = |stats: Option<&ContainerCpuStats>| {
        let usage = stats.and_then(|stats| stats.cpu_usage.as_ref());
        usage
            .and_then(|usage| usage.total_usage)
            .unwrap_or_default()
    };
    let host = |stats: Option<&ContainerCpuStats>| {
        stats
            .and_then(|stats| stats.system_cpu_usage)
            .unwrap_or_default()
    };
    let (now, before) = (reading.cpu_stats.as_ref(), reading.precpu_stats.as_ref());
    let cpus = now.and_then(|stats| stats.online_cpus).unwrap_or(1);
    let used = total(now).saturating_sub(total(before));
    let passed = host(now).saturating_sub(host(before));
    if passed == 0 {
        0.0
    } else {
        share(used, passed) * f64::from(cpus)
    }
}

fn block(reading: &ContainerStatsResponse) -> (u64, u64) {
    let stats = reading.blkio_stats.as_ref();
    let entries = stats.and_then(|stats| stats.io_service_bytes_recursive.as_ref());
    let of = |operation: &str| {
        let entries = entries.into_iter().flatten();
        let entries = entries.filter(|entry| {
            entry
                .op
                .as_deref()
                .is_some_and(|op| op.eq_ignore_ascii_case(operation))
        });
        entries.filter_map(|entry| entry.value).sum()
    };
    (of("read"), of("write"))
}

/// In percent.
#[allow(clippy::cast_precision_loss)]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64 * 100.0
    }
}
