//! The binary: parse, dispatch, exit status.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use plimsoll::cli::{Cli, Exit, Failure};
use plimsoll::config::Config;

fn main() -> ExitCode {
    match Cli::parse().run(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.lines() {
                // Without standard error there is nobody to tell; the exit status stays.
                let _ = writeln!(io::stderr(), "plimsoll: {line}");
            }
            failure.exit.into()
        }
    }
}

// LEAD: `plimsoll::app::run(config, path)` goes here, its errors sorted into `Exit`.
fn start(_config: Config, _path: Option<PathBuf>) -> Result<(), Failure> {
    Err(Failure::new(Exit::Failed, "this build has no daemon"))
}
