//! The binary: parse, dispatch, exit status.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use plimsoll::api::BindError;
use plimsoll::cli::{Cli, Daemon, Exit, Failure, oci};
use plimsoll::config::{Config, Source};
use plimsoll::kernel::{LayoutError, LoadError};
use plimsoll::launch::shim;
use plimsoll::{app, metrics};

fn main() -> ExitCode {
    // Before anything else: processes that come of it are cloned, and cost what this one costs.
    if let Some(arguments) = oci::meant(std::env::args_os()) {
        return oci::main(arguments);
    }
    if let Some(home) = shim::meant(std::env::args_os()) {
        return shim::run(home.as_deref());
    }
    let daemon = Daemon {
        start,
        metrics_reference: metrics::reference_markdown,
    };
    let cli = match Cli::of_arguments() {
        Ok(cli) => cli,
        Err(status) => return status.into(),
    };
    match cli.run(daemon) {
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

fn start(config: Config, source: Source) -> Result<(), Failure> {
    app::run(config, source).map_err(|error| match error {
        app::Error::Policy(errors) => errors.into(),
        error => Failure::new(exit_status(&error), error),
    })
}

fn exit_status(error: &app::Error) -> Exit {
    match error {
        app::Error::NotRoot { .. }
        | app::Error::MissingCapability { .. }
        | app::Error::Layout(_)
        | app::Error::Load(LoadError::Layout(LayoutError::NoBtf)) => Exit::Missing,
        app::Error::Socket(BindError::InUse { .. } | BindError::Starting { .. }) => Exit::InUse,
        app::Error::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => Exit::InUse,
        app::Error::Policy(_) => Exit::Usage,
        app::Error::Socket(_)
        | app::Error::Listen { .. }
        | app::Error::Load(_)
        | app::Error::Runtime(_)
        | app::Error::Ended(_)
        | app::Error::Failed { .. } => Exit::Failed,
    }
}
