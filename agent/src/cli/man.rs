//! `plimsoll man`

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use super::failure::{Exit, Failure};
use super::output::Output;

/// Print a manual page
///
/// To read one: plimsoll man ps | man -l -
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Verb, or nothing for the page of plimsoll itself
    verb: Option<String>,
}

pub(super) fn run(args: &ManArgs, out: &mut Output) -> Result<(), Failure> {
    let mut command = Cli::command();
    // Global options and full names go to the verbs.
    command.build();
    if let Some(verb) = &args.verb {
        let found = command
            .find_subcommand(verb)
            .filter(|found| !found.is_hide_set());
        let found = found.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("there is no verb `{verb}`: see `plimsoll --help`"),
            )
        })?;
        command = found.clone();
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    out.bytes(&page)?;
    Ok(out.flush()?)
}
