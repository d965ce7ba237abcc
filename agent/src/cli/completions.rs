//! `plimsoll completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;
use super::output::Output;

/// Print a completion script
///
/// For bash: plimsoll completions bash > /etc/bash_completion.d/plimsoll
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, out: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "plimsoll", &mut script);
    out.bytes(&script)?;
    Ok(out.flush()?)
}
