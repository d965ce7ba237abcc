//! The command line: one file per verb.
//!
//! In: arguments, and the agent's answers over its socket. Out: tables for people, JSON for
//! programs, exit codes for scripts. It measures nothing itself; the daemon is handed in by `main`.

mod actions;
mod agent;
mod cells;
mod completions;
mod docs;
mod event_line;
mod events;
mod failure;
mod freeze;
mod guardian;
mod kill;
mod limit;
mod man;
pub mod oci;
mod output;
mod policy;
mod probes;
mod ps;
mod rates;
mod stats;
mod table;
mod units;
mod usage;
mod why;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::api::Client;
use crate::config::{self, Config, Source};

pub use failure::{Exit, Failure};
use output::Output;

/// See every container from inside the kernel, and hold it to its limits.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    about = "See every container from inside the kernel, and hold it to its limits",
    after_help = EXIT_STATUS,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Unix socket of the agent [default: `agent.socket` of /etc/plimsoll/plimsoll.toml, else
    /// /run/plimsoll/plimsoll.sock]
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL)]
    socket: Option<PathBuf>,
    /// Form of the output: for people, or for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, help_heading = GLOBAL)]
    format: Format,
    #[command(subcommand)]
    verb: Verb,
}

const GLOBAL: &str = "Global options";

const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  failed: the agent is not running, a name matches nothing, an answer did not come
  2  wrong usage or configuration
  3  a privilege or a kernel feature is missing
  4  the address or the socket is in use";

// Without comments of their own, or `--help` gives each word a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Agent(agent::AgentArgs),
    Ps(ps::PsArgs),
    Stats(stats::StatsArgs),
    Events(events::EventsArgs),
    Probes(probes::ProbesArgs),
    Limit(Box<limit::LimitArgs>),
    Freeze(freeze::FreezeArgs),
    Thaw(freeze::ThawArgs),
    Kill(kill::KillArgs),
    Why(why::WhyArgs),
    Actions(actions::ActionsArgs),
    Undo(actions::UndoArgs),
    Policy(policy::PolicyArgs),
    /// Carry out OCI bundles, with runc's command line (`plimsoll oci --help`)
    #[command(disable_help_flag = true)]
    Oci {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<OsString>,
    },
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    Docs(docs::DocsArgs),
    #[command(hide = true)]
    Guardian(guardian::GuardianArgs),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// What to print, and the exit status. A closed pipe on standard output is no error.
    pub fn run(self, daemon: Daemon) -> Result<(), Failure> {
        let done = self.dispatch(daemon);
        done.or_else(|failure| {
            if failure.is_closed_pipe() {
                Ok(())
            } else {
                Err(failure)
            }
        })
    }

    fn dispatch(self, daemon: Daemon) -> Result<(), Failure> {
        let Self {
            socket,
            format,
            verb,
        } = self;
        let mut out = Output::stdout();
        let ask = || Client::new(&socket.clone().unwrap_or_else(configured_socket));
        match verb {
            Verb::Agent(args) => agent::run(args, socket, &mut out, daemon.start),
            Verb::Ps(args) => wait(ps::run(args, &ask(), format, &mut out)),
            Verb::Stats(args) => wait(stats::run(args, &ask(), format, &mut out)),
            Verb::Events(args) => wait(events::run(args, &ask(), format, &mut out)),
            Verb::Probes(args) => wait(probes::run(args, &ask(), format, &mut out)),
            Verb::Limit(args) => wait(limit::run(*args, &ask(), format, &mut out)),
            Verb::Freeze(args) => wait(freeze::freeze(args, &ask(), format, &mut out)),
            Verb::Thaw(args) => wait(freeze::thaw(args, &ask(), format, &mut out)),
            Verb::Kill(args) => wait(kill::run(args, &ask(), format, &mut out)),
            Verb::Why(args) => wait(why::run(args, &ask(), format, &mut out)),
            Verb::Actions(args) => wait(actions::run(args, &ask(), format, &mut out)),
            Verb::Undo(args) => wait(actions::undo(args, &ask(), format, &mut out)),
            Verb::Policy(args) => wait(policy::run(args, &ask(), format, &mut out)),
            Verb::Oci { .. } => Err(Failure::new(
                Exit::Usage,
                "nothing can stand before `oci`, whose arguments are runc's",
            )),
            Verb::Completions(args) => completions::run(&args, &mut out),
            Verb::Man(args) => man::run(&args, &mut out),
            Verb::Guardian(args) => guardian::run(&args),
            Verb::Docs(args) => docs::run(&args, daemon.metrics_reference, &mut out),
        }
    }
}

/// What the command line starts and shows but may not import.
#[derive(Clone, Copy, Debug)]
pub struct Daemon {
    /// Runs the agent until it ends, with a configuration and where that came from.
    pub start: fn(Config, Source) -> Result<(), Failure>,
    /// The page `docs/metrics.md`.
    pub metrics_reference: fn() -> String,
}

/// Where the agent listens if it reads the default configuration. A broken or unreadable file is the
/// agent's to complain about.
fn configured_socket() -> PathBuf {
    config::load(None).unwrap_or_default().agent.socket
}

fn wait(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, error))?;
    runtime.block_on(verb)
}

/// Something worth knowing that is not part of what was asked.
fn note(text: &str) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "plimsoll: {text}");
}
