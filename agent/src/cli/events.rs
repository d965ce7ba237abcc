//! `plimsoll events`

use std::io;

use clap::Args;

use super::engine::{Engine, docker_events};
use super::event_line::{self, Look};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{Format, note};
use crate::api::{ClientError, Event, EventKind, EventQuery, Since, Term, seconds_of_moment};

/// Show what happened to workloads: cgroups, namespaces, processes, OOM kills
///
/// Prints what the agent remembers and ends; with `--follow`, from now on and until it is stopped.
/// Losses are shown in their place, whatever the filter, and counted at the end.
///
/// With `--until`, a filter of Docker's or a template: what happened to containers, images, networks and
/// volumes of ours, as `docker events` tells it, from now on.
#[derive(Debug, Args)]
#[command(after_help = FILTERS)]
pub(super) struct EventsArgs {
    /// Wait for more
    #[arg(short = 'f', long)]
    follow: bool,
    /// After the event with this number, or not older than a duration such as `10m`
    #[arg(long, value_name = "NUMBER|DURATION", value_parser = since)]
    since: Option<String>,
    /// Not younger than a time (of this host's zone, unless it says one) or a duration
    #[arg(long, value_name = "TIME", value_parser = seconds_of_moment)]
    until: Option<String>,
    /// Only those that match; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = filter)]
    filter: Vec<String>,
    /// table, json, or a Go template of Type, Action, Actor, …
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
}

const FILTERS: &str = "\
Filters:
  class=cgroup|namespace|process|oom|policy|lost
  event=NAME       such as cgroup_mkdir, exec, exit, oom_kill, namespace_foreign_enter; or
                   one of Docker's, such as start, die, health_status
  workload=NAME    or cgroup path, or 12 and more digits of a container id
  type, container, image, network, volume, label, scope: Docker's
The same key several times: any of them. Different keys: all of them.";

pub(super) async fn run(
    args: EventsArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let wrong = |error: String| Failure::new(Exit::Usage, error);
    let of_docker = args.until.is_some()
        || args
            .filter
            .iter()
            .any(|filter| docker_events::is_filter(filter))
        || args
            .format
            .as_deref()
            .is_some_and(|form| !["table", "json"].contains(&form));
    let wanted = docker_events::Wanted {
        since: args.since.clone(),
        until: args.until,
        filter: args.filter.clone(),
        form: args.format.clone(),
    };
    if of_docker {
        return docker_events::run(wanted, engine, out).await;
    }
    let terms = args
        .filter
        .iter()
        .map(|filter| filter.parse::<Term<Event>>());
    let query = EventQuery {
        since: args
            .since
            .map(|since| since.parse())
            .transpose()
            .map_err(wrong)?,
        follow: args.follow,
        filter: terms.collect::<Result<_, _>>().map_err(wrong)?,
    };
    let format = match args.format.as_deref() {
        Some("json") => Format::Json,
        _ => Format::Table,
    };
    let mut events = match engine.agent.events(&query).await {
        // No agent of ours, but an engine all the same.
        Err(ClientError::NotUnderstood(_)) => {
            return docker_events::run(wanted, engine, out).await;
        }
        events => events?,
    };
    let mut lost = 0;
    while let Some(event) = events.next().await? {
        if let EventKind::Lost { count, .. } = event.kind {
            lost += count;
        }
        print(&event, format, out)?;
        if !events.has_more_now() {
            out.flush()?;
        }
    }
    out.flush()?;
    if lost > 0 {
        note(&format!("{lost} events were lost; they are marked above"));
    }
    if args.follow {
        return Err(Failure::new(Exit::Failed, "the agent has stopped"));
    }
    Ok(())
}

fn print(event: &Event, format: Format, out: &mut Output) -> io::Result<()> {
    match format {
        Format::Json => out.json_line(event),
        Format::Table => {
            let look = Look {
                color: out.color(),
                align: out.is_terminal(),
            };
            out.text(&event_line::render(event, look))
        }
    }
}

/// One of either stream.
fn filter(text: &str) -> Result<String, String> {
    if docker_events::is_filter(text) {
        return Ok(text.to_owned());
    }
    text.parse::<Term<Event>>()
        .map_err(|error| match text.starts_with("event=") {
            true => format!("{error}, nor of Docker's"),
            false => error,
        })?;
    Ok(text.to_owned())
}

/// One of either stream.
fn since(text: &str) -> Result<String, String> {
    text.parse::<Since>()
        .map(drop)
        .or_else(|error| seconds_of_moment(text).map(drop).map_err(|_| error))?;
    Ok(text.to_owned())
}
