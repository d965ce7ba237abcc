//! `plimsoll events`

use std::io;

use clap::Args;

use super::event_line::{self, Look};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::{Format, note};
use crate::api::{Client, Event, EventKind, EventQuery, Since, Term};

/// Show what happened to workloads: cgroups, namespaces, processes, OOM kills
///
/// Prints what the agent remembers and ends; with `--follow`, from now on and until it is stopped.
/// Losses are shown in their place, whatever the filter, and counted at the end.
#[derive(Debug, Args)]
#[command(after_help = FILTERS)]
pub(super) struct EventsArgs {
    /// Wait for more
    #[arg(short = 'f', long)]
    follow: bool,
    /// After the event with this number, or not older than a duration such as `10m`
    #[arg(long, value_name = "NUMBER|DURATION")]
    since: Option<Since>,
    /// Only those that match; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<Term<Event>>,
}

const FILTERS: &str = "\
Filters:
  class=cgroup|namespace|process|oom|policy|lost
  event=NAME       such as cgroup_mkdir, exec, exit, oom_kill, namespace_foreign_enter
  workload=NAME    or cgroup path, or 12 and more digits of a container id
The same key several times: any of them. Different keys: all of them.";

pub(super) async fn run(
    args: EventsArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let query = EventQuery {
        since: args.since,
        follow: args.follow,
        filter: args.filter.into_iter().collect(),
    };
    let mut events = client.events(&query).await?;
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
