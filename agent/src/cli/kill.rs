//! `plimsoll kill`

use std::time::Duration;

use clap::Args;

use super::actions::show;
use super::engine::{Engine, refused, segment};
use super::failure::Failure;
use super::output::Output;
use super::{Format, note};
use crate::api::KillRequest;
use crate::launch::{Signal, signal_of_name};
use crate::policy::Process;

const NOT_FOUND: u16 = 404;

/// Kill workloads, or send them a signal
///
/// A container of ours gets the signal as from `docker kill`: its first process does. Of any other
/// workload all processes do; an engine or systemd may start it again: that is theirs to decide.
#[derive(Debug, Args)]
pub(super) struct KillArgs {
    /// Name, id or cgroup path
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Signal, by name or number, such as TERM, 15, RTMIN+3
    #[arg(short, long, default_value = "KILL", value_parser = signal)]
    signal: Signal,
    /// Wait this long for them to end, then send KILL
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
    /// The first process only: of a container its init
    #[arg(long)]
    main: bool,
}

pub(super) async fn run(
    args: KillArgs,
    engine: &Engine,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in &args.names {
        if let Err(failure) = one(&args, name, engine, format, out).await {
            failures.push(failure);
        }
    }
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0)),
        _ => {
            failures
                .iter()
                .flat_map(Failure::lines)
                .for_each(|line| note(line));
            Err(Failure::told())
        }
    }
}

async fn one(
    args: &KillArgs,
    name: &str,
    engine: &Engine,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    // What only the agent can do of a container, it does.
    if args.grace.is_none() && !args.main {
        let path = format!("/containers/{}/kill", segment(name));
        let number = args.signal.as_raw().to_string();
        match engine.post(&path, &[("signal", &number)]).await {
            Ok(()) => {
                out.text(&format!("{name}\n"))?;
                return Ok(out.flush()?);
            }
            Err(error) if refused(&error) == Some(NOT_FOUND) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let request = KillRequest {
        scope: if args.main {
            Process::Main
        } else {
            Process::Cgroup
        },
        signal: args.signal.as_raw(),
        grace: args.grace.unwrap_or_default(),
        escalate: args.grace.map(|_| Signal::KILL.as_raw()),
    };
    show(&engine.agent.kill(name, &request).await?, format, out)
}

/// `TERM`, `SIGTERM`, `term`, `15`, `RTMIN+3`.
fn signal(text: &str) -> Result<Signal, String> {
    signal_of_name(text)
        .ok_or_else(|| "no such signal; for example `TERM`, `15`, `RTMIN+3`".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn signals_by_name_and_number() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(signal(text).unwrap(), Signal::TERM, "{text}");
        }
        let stop_systemd = signal("RTMIN+3").unwrap();
        assert_eq!(stop_systemd.as_raw(), nix::libc::SIGRTMIN() + 3);
        assert_eq!(signal("SIGRTMIN+3").unwrap(), stop_systemd);
        assert_eq!(
            signal("RTMAX-1").unwrap().as_raw(),
            nix::libc::SIGRTMAX() - 1
        );
        assert!(signal("0").is_err());
        assert!(signal("TREM").is_err());
    }
}
