//! A process's standard descriptors: its side and the shim's.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::holder::Streams;
use super::input::Input;
use super::log::{Log, Stream};
use super::main::{lost, refused};
use super::output::Output;
use super::request::{LogFile, Stdio};
use crate::launch::LaunchError;

/// Both sides of a process's standard descriptors.
pub(super) struct Wired {
    pub(super) theirs: Option<[OwnedFd; 3]>,
    pub(super) ours: Streams,
    /// Output goes through this process.
    pub(super) pumped: bool,
}

impl Wired {
    pub(super) fn new(stdio: &Stdio, given: Option<[OwnedFd; 3]>) -> Result<Self, LaunchError> {
        let mut wired = Self {
            theirs: None,
            ours: Streams::default(),
            pumped: matches!(stdio, Stdio::Pipes { .. } | Stdio::Terminal { .. }),
        };
        match stdio {
            Stdio::Null => {}
            Stdio::Inherit => {
                let given = given.ok_or_else(|| refused("three descriptors were to come along"))?;
                wired.theirs = Some(given);
            }
            Stdio::Pipes { input, log } => {
                wired.theirs = Some(pipes(&mut wired.ours, *input).map_err(lost)?);
                wired.ours.log = open_log(log.as_ref())?;
            }
            Stdio::Terminal { log } => wired.ours.log = open_log(log.as_ref())?,
        }
        Ok(wired)
    }
}

fn open_log(order: Option<&LogFile>) -> Result<Option<Log>, LaunchError> {
    let Some(order) = order else { return Ok(None) };
    Log::open(order)
        .map(Some)
        .map_err(|source| LaunchError::Write {
            path: order.path.clone(),
            source,
        })
}

fn pipes(streams: &mut Streams, input: bool) -> io::Result<[OwnedFd; 3]> {
    let stdin = if input {
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        streams.input = Input::pipe(ours)?;
        theirs
    } else {
        rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?
    };
    let mut output = |stream| {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        streams.outputs.push(Output::new(ours, stream)?);
        Ok::<_, io::Error>(theirs)
    };
    Ok([stdin, output(Stream::Output)?, output(Stream::Error)?])
}

impl Streams {
    /// Takes the master of a process's terminal, which came out of the process.
    pub(super) fn take_terminal(
        &mut self,
        stdio: &Stdio,
        master: Option<OwnedFd>,
    ) -> Result<(), LaunchError> {
        match (stdio, master) {
            (Stdio::Terminal { .. }, Some(master)) => {
                let failed = |source| LaunchError::Console { source };
                let input = master.try_clone().map_err(failed)?;
                let output = Output::new(master, Stream::Output).map_err(failed)?;
                self.outputs.push(output);
                self.input = Input::terminal(input);
                Ok(())
            }
            (Stdio::Terminal { .. }, None) => Err(LaunchError::NoTerminal),
            (_, Some(_)) => Err(LaunchError::NoConsoleSocket),
            (_, None) => Ok(()),
        }
    }
}
