//! The loop of a shim that holds a process: output to log and clients, input to the process, until the
//! process has ended and all is told.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use rustix::process::{WaitOptions, wait};

use super::client::Client;
use super::frame::{Frame, Kind};
use super::input::Input;
use super::line::{LogEnd, Welcome};
use super::link::Link;
use super::log::{Log, Stream};
use super::memory;
use super::output::{Got, Output};
use super::request::{Report, Request};
use crate::launch::foreground::exit as ended;
use crate::launch::state::Exit;
use crate::launch::{LaunchError, Phase, Process};

pub(super) const CHUNK: usize = 32 * 1024;
/// When nothing happened for so long, more of nothing is expected: at first, and after many disappointments.
pub(super) const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(64);

/// What goes between the process and the world.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) outputs: Vec<Output>,
    pub(super) input: Input,
    pub(super) log: Option<Log>,
}

/// A held process.
pub(super) struct Holder<'a> {
    pub(super) signals: &'a SignalFd,
    pub(super) link: Option<&'a Link>,
    pub(super) listener: UnixListener,
    pub(super) process: Process,
    pub(super) phase: Phase,
    pub(super) streams: Streams,
    pub(super) clients: Vec<Client>,
    /// Until then output waits for the first client that wants it, and so does the end.
    pub(super) expects_client: Option<Instant>,
    /// Nothing happened since memory was given back.
    pub(super) at_rest: bool,
    /// How long nothing has to happen before memory is given back.
    pub(super) rest: Duration,
    /// Lets a process that waits run.
    pub(super) start: Box<dyn FnMut() -> Result<(), LaunchError> + 'a>,
}

/// What woke it.
pub(super) struct Woken {
    /// Nothing: it waited long enough.
    pub(super) time: bool,
    pub(super) signals: bool,
    pub(super) link: bool,
    pub(super) listener: bool,
    pub(super) outputs: Vec<bool>,
    pub(super) clients: Vec<bool>,
}

impl Holder<'_> {
    /// Until the process has ended.
    pub(super) fn hold(&mut self) -> io::Result<Exit> {
        let mut buffer = vec![0; CHUNK];
        let mut exit = None;
        loop {
            let woken = self.sleep(self.patience())?;
            if woken.time && !self.is_expecting() {
                memory::shed();
                self.rest = (self.rest * 2).min(LONGEST_REST);
            }
            self.at_rest = woken.time;
            self.streams.input.flush();
            self.serve(&woken);
            self.pass_output(&woken.outputs, &mut buffer);
            // Before a start, lest the end of what it starts is seen before its clients are heard.
            if woken.signals {
                exit = self.reap()?.or(exit);
            }
            if woken.link {
                self.obey();
            }
            if let Some(exit) = &exit
                && !self.is_expecting()
            {
                return Ok(exit.clone());
            }
        }
    }

    fn is_expecting(&self) -> bool {
        self.expects_client
            .is_some_and(|deadline| Instant::now() < deadline)
    }

    /// How long to wait for anything to happen.
    fn patience(&self) -> PollTimeout {
        let left = self.expects_client.filter(|_| self.is_expecting());
        let left = left.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.or((!self.at_rest).then_some(self.rest));
        left.map_or(PollTimeout::NONE, rounded_up)
    }

    pub(super) fn sleep(&self, timeout: PollTimeout) -> io::Result<Woken> {
        let held_up = self.is_expecting() || self.clients.iter().any(Client::holds_up);
        let full = self.streams.input.is_full();
        let never = |descriptor| PollFd::new(descriptor, PollFlags::empty());
        let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        let signals = self.signals.as_fd();
        // Everything has its place, also what is not awaited now.
        let mut awaited = vec![
            readable(signals),
            self.link
                .map_or(never(signals), |link| readable(link.as_fd())),
            readable(self.listener.as_fd()),
        ];
        let first_output = awaited.len();
        for output in &self.streams.outputs {
            awaited.push(if held_up {
                never(signals)
            } else {
                readable(output.as_fd())
            });
        }
        let first_client = awaited.len();
        awaited.extend(self.clients.iter().map(|client| {
            let mut flags = PollFlags::empty();
            // Who gives none is heard: it may be the next agent, or about to change the window's size.
            flags.set(PollFlags::POLLIN, !(full && client.gives_input()));
            flags.set(PollFlags::POLLOUT, client.is_behind());
            PollFd::new(client.as_fd(), flags)
        }));
        if let Some(input) = self.streams.input.pending() {
            awaited.push(PollFd::new(input, PollFlags::POLLOUT));
        }
        let time = match poll(&mut awaited, timeout) {
            Ok(ready) => ready == 0,
            Err(nix::errno::Errno::EINTR) => false,
            Err(error) => return Err(error.into()),
        };
        let is_ready = |one: &PollFd<'_>| one.any() == Some(true);
        let ready: Vec<bool> = awaited.iter().map(is_ready).collect();
        let part = |from: usize, length: usize| -> Vec<bool> {
            ready.iter().skip(from).take(length).copied().collect()
        };
        let at = |place: usize| ready.get(place) == Some(&true);
        Ok(Woken {
            time,
            signals: at(0),
            link: at(1),
            listener: at(2),
            outputs: part(first_output, self.streams.outputs.len()),
            clients: part(first_client, self.clients.len()),
        })
    }

    /// Passes on one chunk of each; how much that was.
    pub(super) fn pass_output(&mut self, ready: &[bool], buffer: &mut [u8]) -> usize {
        let Streams { outputs, log, .. } = &mut self.streams;
        let mut ready = ready.iter().copied();
        let mut passed = 0;
        let clients = &mut self.clients;
        outputs.retain(|output| {
            if ready.next() != Some(true) {
                return true;
            }
            let length = match output.read(buffer) {
                Got::Bytes(length) => length,
                Got::Nothing => return true,
                Got::End => return false,
            };
            passed += length;
            let bytes = buffer.get(..length).unwrap_or_default();
            if let Some(log) = log {
                log.take(output.stream, bytes);
            }
            let kind = kind_of(output.stream);
            for client in clients.iter_mut().filter(|client| client.sees_output()) {
                client.send(kind, bytes);
            }
            true
        });
        passed
    }

    pub(super) fn serve(&mut self, woken: &Woken) {
        let mut clients = std::mem::take(&mut self.clients);
        for (client, ready) in clients.iter_mut().zip(&woken.clients) {
            client.flush();
            if *ready {
                for frame in client.receive() {
                    self.answer(client, &frame);
                }
            }
        }
        clients.retain(|client| !client.is_gone());
        self.clients = clients;
        // All: what the agent asks for is done next, and they called before.
        while woken.listener
            && let Ok((stream, _)) = self.listener.accept()
        {
            self.clients.extend(Client::new(stream));
        }
    }

    fn answer(&mut self, client: &mut Client, frame: &Frame) {
        match frame.kind {
            Kind::Hello => match serde_json::from_slice(&frame.payload) {
                Ok(hello) => {
                    client.set_hello(hello);
                    if client.sees_output() {
                        self.expects_client = None;
                    }
                    let log = self.streams.log.as_ref().filter(|_| client.reads_log());
                    let (logged, output) = log.map(Log::so_far).unzip();
                    self.welcome(client, logged);
                    for (stream, bytes) in output.into_iter().flatten() {
                        client.catch_up(kind_of(stream), &bytes);
                    }
                }
                Err(error) => client.send(Kind::Refused, error.to_string().as_bytes()),
            },
            Kind::Input if client.gives_input() => self.streams.input.take(&frame.payload),
            Kind::Resize => {
                if let [a, b, c, d] = frame.payload[..] {
                    let (rows, columns) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                    self.streams.input.resize(rows, columns);
                }
            }
            Kind::Start => match self.start_once() {
                Ok(()) => self.welcome(client, None),
                Err(error) => client.send(Kind::Refused, error.with_causes().as_bytes()),
            },
            // The shim's own words, or input of one who did not ask to give any.
            Kind::Input
            | Kind::Output
            | Kind::Error
            | Kind::Exit
            | Kind::Welcome
            | Kind::Refused => {}
        }
    }

    fn welcome(&self, client: &mut Client, logged: Option<LogEnd>) {
        let welcome = Welcome {
            process: self.process,
            phase: self.phase,
            terminal: self.streams.input.is_terminal(),
            logged,
        };
        client.send(
            Kind::Welcome,
            &serde_json::to_vec(&welcome).unwrap_or_default(),
        );
    }

    fn start_once(&mut self) -> Result<(), LaunchError> {
        (self.start)()?;
        self.phase = Phase::Running;
        Ok(())
    }

    /// What the agent asks for on the link.
    pub(super) fn obey(&mut self) {
        let Some(link) = self.link else { return };
        match link.receive::<Request>() {
            Ok(Some((Request::Start, _))) => {
                let report = match self.start_once() {
                    Ok(()) => Report::Started,
                    Err(error) => Report::Failed {
                        text: error.with_causes(),
                    },
                };
                // An agent that is gone finds the state.
                let _ = link.send(&report, &[]);
            }
            Ok(Some((Request::Prepare(_) | Request::Create(_) | Request::Join(_), _))) => {
                let text = "this shim holds a process already".to_owned();
                let _ = link.send(&Report::Failed { text }, &[]);
            }
            // The agent is gone: the next one comes to the socket.
            Ok(None) | Err(_) => {
                self.link = None;
                self.expects_client = None;
            }
        }
    }

    /// Reaps what ended, orphans too; the exit of the held one, if it is among them.
    pub(super) fn reap(&self) -> io::Result<Option<Exit>> {
        while self.signals.read_signal()?.is_some() {}
        let mut found = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if u32::try_from(pid.as_raw_nonzero().get()) == Ok(self.process.pid) {
                        found = ended(status).or(found);
                    }
                }
                Ok(None) => return Ok(found),
                Err(rustix::io::Errno::CHILD) => return Ok(found),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A rest of a millisecond is not to be spun away.
pub(super) fn rounded_up(left: Duration) -> PollTimeout {
    PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::NONE)
}

const fn kind_of(stream: Stream) -> Kind {
    match stream {
        Stream::Output => Kind::Output,
        Stream::Error => Kind::Error,
    }
}
