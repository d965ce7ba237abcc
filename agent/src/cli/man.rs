//! `plimsoll man`

use std::io;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

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
    let page = page(command)?;
    out.bytes(&page)?;
    Ok(out.flush()?)
}

/// As `Man::render`, but what follows the options in `--help` is a section of its own name, line for
/// line, where that has a section "EXTRA" with the lines filled.
fn page(command: Command) -> io::Result<Vec<u8>> {
    let has_verbs = command.get_subcommands().any(|verb| !verb.is_hide_set());
    let appendix = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_verbs {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some((title, lines)) = appendix.as_deref().and_then(|text| text.split_once(":\n")) {
        section(title, lines).to_writer(&mut page)?;
    }
    Ok(page)
}

fn section(title: &str, lines: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff
}
