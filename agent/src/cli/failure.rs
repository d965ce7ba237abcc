//! How a command ends when it did not do what was asked.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use crate::api::ClientError;
use crate::config::{ConfigErrors, Problem};
use crate::policy::PolicyErrors;

/// Exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Anything that has no status of its own.
    Failed = 1,
    /// Wrong arguments or configuration.
    Usage = 2,
    /// A privilege or a kernel feature is missing.
    Missing = 3,
    /// An address or the socket is in use.
    InUse = 4,
    /// A container was not run.
    NotRun = 125,
    /// A container's command cannot be invoked.
    NotInvoked = 126,
    /// A container's command is not there.
    NotFound = 127,
}

/// A status of ours, or that of a process in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus(u8);

impl ExitStatus {
    pub(super) const SUCCESS: Self = Self(0);
}

/// What to tell, and the exit status.
#[derive(Debug)]
pub struct Failure {
    /// Exit status.
    pub exit: ExitStatus,
    /// Each one line, the causes after colons. Several only for a configuration's problems.
    lines: Vec<String>,
    /// Whoever reads standard output closed it.
    closed_pipe: bool,
}

impl Failure {
    /// From an error, or from words.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let io = error.downcast_ref::<io::Error>();
        Self {
            exit: exit.into(),
            closed_pipe: io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe),
            lines: vec![with_causes(&*error)],
        }
    }

    /// Ends with the status of a process in a container, which has said itself what there was to say.
    pub(super) fn status(status: i64) -> Self {
        // As `exit(3)` has it: the low 8 bits.
        let [status, ..] = status.to_le_bytes();
        Self {
            exit: ExitStatus(status),
            lines: Vec::new(),
            closed_pipe: false,
        }
    }

    /// The same with another status.
    pub(super) fn with(self, exit: Exit) -> Self {
        Self {
            exit: exit.into(),
            ..self
        }
    }

    /// Several at once, which have been told one by one.
    pub(super) fn told() -> Self {
        Self::status(Exit::Failed as i64)
    }

    /// What to print, line by line.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

impl From<Exit> for ExitStatus {
    fn from(exit: Exit) -> Self {
        Self(exit as u8)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(ExitStatus(status): ExitStatus) -> Self {
        Self::from(status)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match error {
            ClientError::Permission { .. } => Exit::Missing,
            ClientError::NotRunning { .. }
            | ClientError::Connect { .. }
            | ClientError::Broken(_)
            | ClientError::Timeout(_)
            | ClientError::NotUnderstood(_)
            | ClientError::Refused { .. } => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        let ConfigErrors { path, problems } = errors;
        let line = |problem: Problem| format!("{}: {problem}", path.display());
        Self {
            exit: Exit::Usage.into(),
            lines: problems.into_iter().map(line).collect(),
            closed_pipe: false,
        }
    }
}

impl From<PolicyErrors> for Failure {
    fn from(errors: PolicyErrors) -> Self {
        Self {
            exit: Exit::Usage.into(),
            lines: errors.lines(),
            closed_pipe: false,
        }
    }
}

/// Of standard output; whoever meets another one says what was tried.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_on_the_same_line() {
        let source = io::Error::other("disk on fire");
        let socket = "/run/x".into();
        let failure = Failure::from(ClientError::Connect { socket, source });
        let expected = "cannot connect to the agent on /run/x: disk on fire";
        assert_eq!(failure.lines(), [expected]);
        assert_eq!(failure.exit, Exit::Failed.into());
    }
}
