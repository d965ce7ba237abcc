//! `--rm=false`: switches with a value, as Docker's command line takes them.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::Cli;

/// The command line's grammar; where a switch may have been given a value, with room for it. Else not: help
/// would show it everywhere.
pub(super) fn command(arguments: &[OsString]) -> Command {
    let ends = |argument: &OsString| {
        let bytes = argument.as_encoded_bytes();
        bytes.starts_with(b"-") && (bytes.ends_with(b"=true") || bytes.ends_with(b"=false"))
    };
    let command = Cli::command();
    if arguments.iter().any(ends) {
        command.mut_subcommands(|verb| verb.mut_args(with_value))
    } else {
        command
    }
}

/// The same, with room for a value if it is a switch.
pub(super) fn with_value(argument: Arg) -> Arg {
    if !matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument;
    }
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::FromArgMatches;

    use super::*;

    fn parsed(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let mut matches = command(&arguments)
            .try_get_matches_from(&arguments)
            .unwrap();
        format!("{:?}", Cli::from_arg_matches_mut(&mut matches).unwrap())
    }

    #[test]
    fn switches_may_have_a_value() {
        let with = parsed(&[
            "plimsoll",
            "run",
            "-it",
            "--rm=false",
            "--init=true",
            "web",
            "-x=true",
        ]);
        let without = parsed(&["plimsoll", "run", "-it", "--init", "web", "-x=true"]);
        assert_eq!(with, without);
    }
}
