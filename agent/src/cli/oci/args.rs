//! The arguments, as runc has them.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::launch::Id;

/// Directory of the state directories, unless told otherwise.
const ROOT: &str = "/run/plimsoll/oci";

/// Carry out OCI bundles, with runc's command line.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll-oci",
    version,
    about = "Carry out OCI bundles, with runc's command line",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Directory of the containers' state
    #[arg(long, value_name = "DIR", default_value = ROOT)]
    pub(super) root: PathBuf,
    /// File that messages are appended to [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Form of the messages
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Tell every step
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub(super) debug: bool,
    /// Refused: cgroups are made in the file system
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub(super) systemd_cgroup: bool,
    /// Accepted and without effect
    #[arg(long, value_name = "BOOL", hide = true)]
    pub(super) rootless: Option<String>,
    /// Accepted and without effect: there are no checkpoints
    #[arg(long, value_name = "PATH", hide = true)]
    pub(super) criu: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a container from a bundle, not started yet
    Create(CreateArgs),
    /// Start a container that was created
    Start(IdArgs),
    /// Create and start a container, and wait for it
    Run(RunArgs),
    /// Show a container's state
    State(IdArgs),
    /// Send a signal to a container
    Kill(KillArgs),
    /// Remove a container
    Delete(DeleteArgs),
    /// Run a further process in a container
    Exec(ExecArgs),
    /// List the containers
    List(ListArgs),
    /// List a container's processes
    Ps(PsArgs),
    /// Change a container's limits
    Update(UpdateArgs),
    /// Freeze a container
    Pause(IdArgs),
    /// Let a frozen container go on
    Resume(IdArgs),
    /// Show a container's usage
    Events(EventsArgs),
    /// Show what this runtime can do
    Features,
}

impl Verb {
    pub(super) const fn makes_a_process(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Run(_) | Self::Exec(_))
    }
}

#[derive(Debug, Args)]
pub(super) struct IdArgs {
    pub(super) id: Id,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Directory of the bundle
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub(super) bundle: PathBuf,
    /// Socket that takes the master of the container's terminal
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// File that the process id is written to
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Move the root instead of exchanging it
    #[arg(long)]
    pub(super) no_pivot: bool,
    /// Accepted: a container always gets a keyring of its own
    #[arg(long, hide = true)]
    pub(super) no_new_keyring: bool,
    /// Further descriptors, from 3 on, that the container inherits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) preserve_fds: u32,
    pub(super) id: Id,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) create: CreateArgs,
    /// Do not wait for it
    #[arg(long, short)]
    pub(super) detach: bool,
    /// Keep its state when it has ended
    #[arg(long)]
    pub(super) keep: bool,
    /// Accepted: orphans come to this process while it waits
    #[arg(long, hide = true)]
    pub(super) no_subreaper: bool,
}

#[derive(Debug, Args)]
pub(super) struct KillArgs {
    /// To all its processes
    #[arg(long, short)]
    pub(super) all: bool,
    pub(super) id: Id,
    /// Number or name
    #[arg(default_value = "SIGTERM")]
    pub(super) signal: String,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// Kill it if it runs; no error if there is none
    #[arg(long, short)]
    pub(super) force: bool,
    pub(super) id: Id,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// Socket that takes the master of the process's terminal
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// Working directory
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
    /// Environment variable
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Give it a terminal
    #[arg(long, short)]
    pub(super) tty: bool,
    /// User, by number
    #[arg(long, short, value_name = "UID[:GID]")]
    pub(super) user: Option<String>,
    /// Further group, by number
    #[arg(long, short = 'g', value_name = "GID")]
    pub(super) additional_gids: Vec<u32>,
    /// File with the process in the form of the specification
    #[arg(long, short, value_name = "FILE")]
    pub(super) process: Option<PathBuf>,
    /// Do not wait for it
    #[arg(long, short)]
    pub(super) detach: bool,
    /// File that the process id is written to
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Forbid it to gain privileges
    #[arg(long)]
    pub(super) no_new_privs: bool,
    /// Capability besides those of the container
    #[arg(long, short, value_name = "CAP")]
    pub(super) cap: Vec<String>,
    /// Further descriptors, from 3 on, that the process inherits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) preserve_fds: u32,
    /// In a frozen container too
    #[arg(long)]
    pub(super) ignore_paused: bool,
    pub(super) id: Id,
    /// Program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table)]
    pub(super) format: ListFormat,
    /// Only the ids
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct PsArgs {
    #[arg(long, short, value_enum, default_value_t = ListFormat::Table)]
    pub(super) format: ListFormat,
    pub(super) id: Id,
    /// Options for ps
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) options: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Once, instead of every interval
    #[arg(long)]
    pub(super) stats: bool,
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) interval: humantime::Duration,
    pub(super) id: Id,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// File with resources in the form of the specification; `-`: standard input
    #[arg(long, short, value_name = "FILE")]
    pub(super) resources: Option<PathBuf>,
    #[arg(long, value_name = "MICROSECONDS")]
    pub(super) cpu_period: Option<u64>,
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    pub(super) cpu_quota: Option<i64>,
    #[arg(long, value_name = "SHARES")]
    pub(super) cpu_share: Option<u64>,
    #[arg(long, value_name = "LIST")]
    pub(super) cpuset_cpus: Option<String>,
    #[arg(long, value_name = "LIST")]
    pub(super) cpuset_mems: Option<String>,
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub(super) memory: Option<i64>,
    #[arg(long, value_name = "BYTES")]
    pub(super) memory_reservation: Option<i64>,
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub(super) memory_swap: Option<i64>,
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(super) pids_limit: Option<i64>,
    #[arg(long, value_name = "WEIGHT")]
    pub(super) blkio_weight: Option<u16>,
    pub(super) id: Id,
}
