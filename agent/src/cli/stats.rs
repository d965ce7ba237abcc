//! `plimsoll stats`

use std::io;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use super::Format;
use super::engine::{Engine, Form, docker_stats};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::rates::Rates;
use super::usage::{self, Usage};
use super::workloads::busiest_first;
use crate::api::{Client, ClientError, Term, Workload, WorkloadDetail, WorkloadQuery};

/// Shorter intervals only ask for the same reading again.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Between questions for a reading that is newer than the last.
const RETRY: Duration = Duration::from_millis(50);
const NOT_FOUND: u16 = 404;

/// Watch what workloads use, as `docker stats` does
///
/// Of containers of ours, where only those are named, their engine tells. Of all others: CPU % and THROTTLED are those since the last line of the same workload; PRESSURE is the share of
/// the last 10 seconds in which some task waited for CPU, memory and I/O; NET and BLOCK I/O are
/// totals. Without names: alive containers, pods, machines and units; with a template, containers of ours.
#[derive(Debug, Args)]
#[command(after_help = super::workloads::FILTERS)]
pub(super) struct StatsArgs {
    /// Names, container ids or their beginnings, cgroup paths
    #[arg(value_name = "NAME", conflicts_with = "filter")]
    names: Vec<String>,
    /// Print once
    #[arg(long)]
    no_stream: bool,
    /// Time between two lines of a workload
    #[arg(short = 'n', long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Only those that match; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<Term<Workload>>,
    /// Those of our containers too that do not run
    #[arg(short, long)]
    all: bool,
    /// Whole ids of our containers
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or of our containers a Go template of ID, Name, CPUPerc, MemUsage, …
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
}

/// All workloads at one time.
#[derive(Debug, Serialize)]
struct Frame {
    #[serde(with = "humantime_serde")]
    taken: SystemTime,
    workloads: Vec<Usage>,
}

pub(super) async fn run(args: StatsArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let by_template = matches!(args.format, Some(Form::Table(Some(_)) | Form::Template(_)));
    let is_engines =
        (by_template && args.names.is_empty()) || docker_stats::is_asked(engine, &args.names).await;
    if args.filter.is_empty() && is_engines {
        let wanted = docker_stats::Wanted {
            names: args.names,
            all: args.all,
            no_stream: args.no_stream,
            no_trunc: args.no_trunc,
            form: args.format,
        };
        return docker_stats::run(wanted, engine, out).await;
    }
    let format = match args.format {
        None | Some(Form::Table(None)) => Format::Table,
        Some(Form::Json) => Format::Json,
        Some(Form::Table(Some(_)) | Form::Template(_)) => {
            let told = "a template is for containers of ours only";
            return Err(Failure::new(Exit::Usage, told));
        }
    };
    let client = &engine.agent;
    let everything = args.names.is_empty() && args.filter.is_empty();
    let mut watch = Watch {
        client,
        query: WorkloadQuery {
            all: false,
            filter: args.filter.into_iter().collect(),
        },
        names: args.names,
        interval: args.interval,
        tick: None,
        rates: Rates::default(),
    };
    let first = watch.first().await?;
    if everything && first.workloads.is_empty() {
        super::note(super::workloads::NOTHING_HERE);
    }
    if args.no_stream {
        let second = watch.next().await?;
        return Ok(show(&second, format, out)?);
    }
    show(&first, format, out)?;
    loop {
        show(&watch.next().await?, format, out)?;
    }
}

/// What is watched, and what was seen of it.
struct Watch<'a> {
    client: &'a Client,
    names: Vec<String>,
    query: WorkloadQuery,
    interval: Duration,
    /// Of the last frame.
    tick: Option<u64>,
    rates: Rates,
}

impl Watch<'_> {
    /// Every name must exist.
    async fn first(&mut self) -> Result<Frame, ClientError> {
        let details = self.fetch(true).await?;
        Ok(self.frame(&details))
    }

    /// One interval later; a little more when the agent has no newer reading yet.
    async fn next(&mut self) -> Result<Frame, ClientError> {
        sleep(self.interval).await;
        let mut details = self.fetch(false).await?;
        let mut waited = Duration::ZERO;
        while tick(&details) == self.tick && waited < self.interval {
            sleep(RETRY).await;
            waited += RETRY;
            details = self.fetch(false).await?;
        }
        Ok(self.frame(&details))
    }

    /// Each workload with the reading it came from.
    async fn fetch(&self, must_exist: bool) -> Result<Vec<WorkloadDetail>, ClientError> {
        if self.names.is_empty() {
            let mut list = self.client.workloads(&self.query).await?;
            list.workloads.sort_by(busiest_first);
            let detail = |workload| WorkloadDetail {
                tick: list.tick,
                taken: list.taken,
                host: list.host.clone(),
                workload,
            };
            return Ok(list.workloads.into_iter().map(detail).collect());
        }
        let mut details: Vec<WorkloadDetail> = Vec::new();
        for name in &self.names {
            match self.client.workload(name).await {
                Ok(detail) => {
                    let id = &detail.workload.identity.id;
                    if details
                        .iter()
                        .all(|other| other.workload.identity.id != *id)
                    {
                        details.push(detail);
                    }
                }
                // It was there, died, and its last reading was retired.
                Err(ClientError::Refused {
                    status: NOT_FOUND, ..
                }) if !must_exist => {}
                Err(error) => return Err(error),
            }
        }
        Ok(details)
    }

    fn frame(&mut self, details: &[WorkloadDetail]) -> Frame {
        self.tick = tick(details);
        let taken = details.iter().map(|detail| detail.taken).max();
        let lines = details.iter().map(|detail| {
            let rate = self.rates.update(&detail.workload, detail.taken);
            Usage::new(detail, rate)
        });
        Frame {
            workloads: lines.collect(),
            taken: taken.unwrap_or_else(SystemTime::now),
        }
    }
}

fn tick(details: &[WorkloadDetail]) -> Option<u64> {
    details.iter().map(|detail| detail.tick).min()
}

fn show(frame: &Frame, format: Format, out: &mut Output) -> io::Result<()> {
    match format {
        Format::Table => out.frame(&usage::table(&frame.workloads)),
        Format::Json => {
            out.json_line(frame)?;
            out.flush()
        }
    }
}

/// `500ms`, `2s`, or seconds without a unit.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let parsed = seconds.map_or_else(|| humantime::parse_duration(text), Ok);
    let interval = parsed.map_err(|_| "expected a duration such as `500ms` or `2s`")?;
    if interval < SHORTEST_INTERVAL {
        return Err("the shortest is 100ms".into());
    }
    Ok(interval)
}
