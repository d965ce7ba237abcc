//! `plimsoll agent`

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output::Output;
use crate::config::{Config, Source};

/// Run the agent in the foreground
///
/// SIGTERM ends it, SIGHUP makes it read its configuration again. Needs root.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// Configuration file [default: /etc/plimsoll/plimsoll.toml, which may be absent]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Only check the configuration: prints `ok`, or every problem and exits with 2
    #[arg(long)]
    check_config: bool,
}

/// `socket`, where given, goes before the configured one.
pub(super) fn run(
    args: AgentArgs,
    socket: Option<PathBuf>,
    out: &mut Output,
    start: fn(Config, Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let source = Source {
        path: args.config,
        socket,
    };
    let config = source.load()?;
    if args.check_config {
        out.text("ok\n")?;
        return Ok(out.flush()?);
    }
    start(config, source)
}
