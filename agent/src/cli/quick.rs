//! `run` without the grammar of all other verbs, which takes longer to build than to parse.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{Cli, Verb, engine};

#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
struct Quick {
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    verb: QuickVerb,
}

#[derive(Debug, Subcommand)]
enum QuickVerb {
    Run(Box<engine::RunArgs>),
}

/// What the arguments ask for, if that is `run` and nothing about it needs to be told: help and errors are the
/// whole grammar's.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    if !arguments.iter().any(|argument| argument == "run") {
        return None;
    }
    let Quick { socket, verb } = Quick::try_parse_from(arguments).ok()?;
    let QuickVerb::Run(args) = verb;
    let verb = engine::Verb::Container(engine::ContainerVerb::Run(args));
    Some(Cli {
        socket,
        verb: Verb::Engine(verb),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn quick(line: &str) -> Option<Cli> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse(&arguments)
    }

    #[test]
    fn run_is_read_as_by_the_whole_grammar() {
        for line in [
            "plimsoll run web",
            "plimsoll --socket /s run --rm -it -e A=b -p 80:80 --name x web sh -c run",
            "plimsoll run --socket /s -d web --socket /other",
            "plimsoll run --rootfs /r true",
        ] {
            let whole = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(format!("{:?}", quick(line).unwrap()), format!("{whole:?}"));
        }
    }

    #[test]
    fn the_rest_is_left_to_the_whole_grammar() {
        for line in [
            "plimsoll exec web run",
            "plimsoll container run web",
            "plimsoll run --help",
            "plimsoll run --nonesuch",
            "plimsoll run --rm=false web",
            "plimsoll -h run",
        ] {
            assert!(quick(line).is_none(), "{line}");
        }
    }
}
