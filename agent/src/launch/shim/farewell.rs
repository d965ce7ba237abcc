//! A shim's last acts, once the process that it holds has ended: the rest of its output, and everybody told.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::client::Client;
use super::frame::Kind;
use super::holder::{CHUNK, Holder, rounded_up};
use super::output::Output;
use super::request::Report;
use crate::launch::state::Exit;

/// How long clients may take to read what was written before the end.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);
/// How long a joined process's end waits for the end of its output.
const LINGERING: Duration = Duration::from_secs(2);

impl Holder<'_> {
    /// What a process left running may still have something to say, and whoever asked for the process to hear: so long
    /// its end is not told, as dockerd does it.
    pub(super) fn linger(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + LINGERING;
        let mut buffer = vec![0; CHUNK];
        while !self.streams.outputs.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.sleep(rounded_up(left))?;
            self.serve(&woken);
            self.pass_output(&woken.outputs, &mut buffer);
            if woken.signals {
                self.reap()?;
            }
            if woken.link {
                self.obey();
            }
        }
        Ok(())
    }

    /// All that is still to be read, once the process has ended. What it left running may write on for ever: more
    /// than was there by then is not read.
    pub(super) fn drain(&mut self) {
        let mut buffer = vec![0; CHUNK];
        let everything = vec![true; self.streams.outputs.len()];
        let mut left: usize = self.streams.outputs.iter().map(Output::holds).sum();
        while left > 0 && !self.streams.outputs.is_empty() {
            let before = self.streams.outputs.len();
            let length = self.pass_output(&everything, &mut buffer);
            if length == 0 && before == self.streams.outputs.len() {
                break;
            }
            left = left.saturating_sub(length);
        }
        if let Some(log) = &mut self.streams.log {
            log.finish();
        }
    }

    /// Tells everybody of the end. Who wanted its output and has it all is let go.
    pub(super) fn tell(&mut self, exit: &Exit) {
        if let Some(link) = self.link {
            // An agent that is gone reads `exit.json`.
            let _ = link.send(&Report::Exited(exit.clone()), &[]);
        }
        let text = serde_json::to_vec(exit).unwrap_or_default();
        for client in &mut self.clients {
            client.send(Kind::Exit, &text);
        }
        self.clients
            .retain(|client| client.is_behind() || !client.sees_output());
    }

    /// Waits for those who are behind: for a while, or until they are gone if they are to miss nothing.
    pub(super) fn part(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.clients.retain(|client| {
                let has_time = client.is_waited_for() || !left.is_zero();
                client.is_behind() && !client.is_gone() && has_time
            });
            if self.clients.is_empty() {
                return;
            }
            let timeout = Some(left).filter(|left| !left.is_zero());
            let timeout = timeout.and_then(|left| PollTimeout::try_from(left).ok());
            let timeout = timeout.unwrap_or(PollTimeout::NONE);
            let mut awaited: Vec<_> = self
                .clients
                .iter()
                .map(|client| PollFd::new(client.as_fd(), PollFlags::POLLOUT))
                .collect();
            if poll(&mut awaited, timeout).is_err() {
                return;
            }
            self.clients.iter_mut().for_each(Client::flush);
        }
    }
}
