//! `plimsoll oci …`, and `plimsoll-oci …`: runc's command line, so that docker, podman and containerd
//! can use Plimsoll as their runtime.
//!
//! Every command is a process of its own and nothing stays behind: the caller is the subreaper that the
//! workload's first process is left to, as with runc. Exit statuses, words and the log are runc's too.

mod args;
mod log;
mod process;
mod report;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Verb};
use crate::launch::{LaunchError, ensure_sealed};

/// Names under which the binary is this command line and no other.
const NAME: &str = "plimsoll-oci";
const VERB: &str = "oci";
/// As runc has it for a process that could not join.
const EXEC_FAILED: u8 = 255;

/// What is to be told, and the exit status.
#[derive(Debug)]
struct Refusal {
    text: String,
    status: u8,
}

impl From<LaunchError> for Refusal {
    fn from(error: LaunchError) -> Self {
        Self::new(error.with_causes())
    }
}

impl Refusal {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            status: 1,
        }
    }

    /// For an operation on the system.
    fn io(what: &str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::new(format!("{what}: {error}"))
    }
}

/// The arguments after the name, if this command line is meant.
#[must_use]
pub fn meant(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = arguments.next()?;
    let name = std::path::Path::new(&program).file_name()?;
    if name != NAME && arguments.next()? != VERB {
        return None;
    }
    Some(arguments.collect())
}

/// Does what was asked, and says how it went.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let named = std::iter::once(NAME.into()).chain(arguments);
    let Arguments { global, verb } = match Arguments::try_parse_from(named) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Without standard error there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    log::open(&global);
    let is_exec = matches!(verb, Verb::Exec(_));
    match prepare(&global, &verb).and_then(|()| verbs::run(&global, verb)) {
        Ok(status) => ExitCode::from(status),
        Err(refusal) => {
            log::fatal(&refusal.text);
            ExitCode::from(if is_exec && refusal.status == 1 {
                EXEC_FAILED
            } else {
                refusal.status
            })
        }
    }
}

fn prepare(global: &args::Global, verb: &Verb) -> Result<(), Refusal> {
    if global.systemd_cgroup {
        return Err(Refusal::new(
            "--systemd-cgroup is not supported: cgroups are made in the file system; \
             configure the engine with the cgroupfs driver",
        ));
    }
    if verb.makes_a_process() {
        ensure_sealed().map_err(|error| LaunchError::from(error).into())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_by(arguments: &[&str]) -> Option<usize> {
        meant(arguments.iter().map(OsString::from)).map(|rest| rest.len())
    }

    #[test]
    fn it_is_meant_by_name_or_by_verb() {
        assert_eq!(meant_by(&["/usr/bin/plimsoll-oci", "state", "a"]), Some(2));
        assert_eq!(meant_by(&["plimsoll", "oci", "state", "a"]), Some(2));
        assert_eq!(meant_by(&["plimsoll", "ps"]), None);
        assert_eq!(meant_by(&["plimsoll"]), None);
    }

    #[test]
    fn the_arguments_of_engines_are_understood() {
        for line in [
            "--root /r --log /l --log-format json create --bundle /b --pid-file /p id",
            "--root /r --log /l --log-format json create --bundle /b --pid-file /p --console-socket /c id",
            "--log-format=json --log=/l --systemd-cgroup=false --rootless=auto start id",
            "--root /r exec --process /p --detach --pid-file /x --console-socket /c id",
            "exec -t -d -e A=B --cwd / -u 1:2 id sh -c true",
            "kill --all id 9",
            "kill id SIGTERM",
            "delete --force id",
            "update --resources - id",
            "ps --format json id",
            "list -q",
            "events --stats id",
            "run -b /b -d --no-pivot id",
        ] {
            let words = line.split_whitespace();
            let parsed = Arguments::try_parse_from(std::iter::once(NAME).chain(words));
            assert!(parsed.is_ok(), "{line}: {}", parsed.map(drop).unwrap_err());
        }
    }
}
