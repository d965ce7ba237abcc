//! The command line: one file per verb.
//!
//! In: arguments, and the agent's answers over its socket. Out: tables for people, JSON for
//! programs, exit codes for scripts. It measures nothing itself; the daemon is handed in by `main`.

mod actions;
mod agent;
mod cells;
mod completions;
mod docs;
mod engine;
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
mod quick;
mod rates;
mod stats;
mod switches;
mod table;
mod units;
mod usage;
mod why;
mod workloads;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::api::Client;
use crate::config::{self, Config, Source};

use engine::Engine;
pub use failure::{Exit, ExitStatus, Failure};
use output::Output;

/// See every container from inside the kernel, hold it to its limits, and run containers.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    about = "See every container from inside the kernel, hold it to its limits, and run containers",
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
  4  the address or the socket is in use
  run, create, start, exec, attach: of the container, or 125, 126, 127 where it was not run";

// A verb whose output has two forms. No doc comment: it would be the help of each.
#[derive(Debug, Args)]
struct Formatted<A: Args> {
    #[command(flatten)]
    args: A,
    /// Form of the output: for people, or for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    format: Format,
}

// Without comments of their own, or `--help` gives each word a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Agent(agent::AgentArgs),
    #[command(flatten)]
    Engine(engine::Verb),
    Workloads(Formatted<workloads::WorkloadsArgs>),
    Stats(stats::StatsArgs),
    Events(events::EventsArgs),
    Probes(Formatted<probes::ProbesArgs>),
    Limit(Box<Formatted<limit::LimitArgs>>),
    Freeze(Formatted<freeze::FreezeArgs>),
    Thaw(Formatted<freeze::ThawArgs>),
    Kill(Formatted<kill::KillArgs>),
    Why(Formatted<why::WhyArgs>),
    Actions(Formatted<actions::ActionsArgs>),
    Undo(Formatted<actions::UndoArgs>),
    Policy(Formatted<policy::PolicyArgs>),
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
    /// What the arguments ask for; where they are wrong or ask for help, that is told, and how to end.
    ///
    /// # Errors
    /// The exit status.
    pub fn of_arguments() -> Result<Self, ExitStatus> {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        if let Some(cli) = quick::parse(&arguments) {
            return Ok(cli);
        }
        let parsed = switches::command(&arguments).try_get_matches_from(&arguments);
        let parsed = parsed.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        parsed.map_err(|error| {
            // Without standard error there is nobody to tell.
            let _ = error.print();
            let status_is_theirs = engine::WITH_STATUS.into_iter();
            let mut status_is_theirs = status_is_theirs.map(OsString::from);
            if !error.use_stderr() {
                ExitStatus::SUCCESS
            } else if status_is_theirs.any(|verb| arguments.contains(&verb)) {
                Exit::NotRun.into()
            } else {
                Exit::Usage.into()
            }
        })
    }

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
        let Self { socket, verb } = self;
        let mut out = Output::stdout();
        let path = || socket.clone().unwrap_or_else(configured_socket);
        let ask = || Client::new(&path());
        let engine = || Engine::new(&path());
        match verb {
            Verb::Agent(args) => agent::run(args, socket, &mut out, daemon.start),
            Verb::Engine(verb) => wait(engine::run(verb, &engine(), &mut out)),
            Verb::Stats(args) => wait(stats::run(args, &engine(), &mut out)),
            Verb::Events(args) => wait(events::run(args, &engine(), &mut out)),
            Verb::Kill(Formatted { args, format }) => {
                wait(kill::run(args, &engine(), format, &mut out))
            }
            Verb::Workloads(Formatted { args, format }) => {
                wait(workloads::run(args, &ask(), format, &mut out))
            }
            Verb::Probes(Formatted { args, format }) => {
                wait(probes::run(args, &ask(), format, &mut out))
            }
            Verb::Limit(limit) => wait(limit::run(limit.args, &ask(), limit.format, &mut out)),
            Verb::Freeze(Formatted { args, format }) => {
                wait(freeze::freeze(args, &ask(), format, &mut out))
            }
            Verb::Thaw(Formatted { args, format }) => {
                wait(freeze::thaw(args, &ask(), format, &mut out))
            }
            Verb::Why(Formatted { args, format }) => wait(why::run(args, &ask(), format, &mut out)),
            Verb::Actions(Formatted { args, format }) => {
                wait(actions::run(args, &ask(), format, &mut out))
            }
            Verb::Undo(Formatted { args, format }) => {
                wait(actions::undo(args, &ask(), format, &mut out))
            }
            Verb::Policy(Formatted { args, format }) => {
                wait(policy::run(args, &ask(), format, &mut out))
            }
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
