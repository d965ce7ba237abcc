//! Signals that are the container's to act upon.

use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::failure::{Exit, Failure};
use super::client::{Engine, segment};

/// All that can be caught, but those that tell this process something of its own, such as CHLD, and those
/// of a fault in it.
const PASSED_ON: [Signal; 18] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGABRT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGSTKFLT,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGWINCH,
    Signal::SIGIO,
    Signal::SIGPWR,
];

/// What asks to end.
const ENDING: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];
/// So many of them are meant for this process: the container may not heed them.
const ENOUGH: u32 = 3;

/// Passes signals on to a container, until dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    #[expect(dead_code, reason = "its drop ends the tasks")]
    tasks: JoinSet<()>,
    asked: watch::Receiver<u32>,
}

impl Proxy {
    /// From now on signals do not act on this process any more.
    pub(super) fn start(engine: &Engine, container: &str, tty: bool) -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        let (ask, asked) = watch::channel(0);
        let path = format!("/containers/{}/kill", segment(container));
        for passed in PASSED_ON {
            // A terminal's size is passed on as such.
            if tty && passed == Signal::SIGWINCH {
                continue;
            }
            let mut received = signal(SignalKind::from_raw(passed as i32))?;
            let (engine, path, ask) = (engine.clone(), path.clone(), ask.clone());
            tasks.spawn(async move {
                while received.recv().await.is_some() {
                    if ENDING.contains(&passed) {
                        ask.send_modify(|times| *times += 1);
                    }
                    let name = passed.as_str();
                    let name = name.strip_prefix("SIG").unwrap_or(name);
                    // One that has ended, or has not begun, gets no signal.
                    let _ = engine.post(&path, &[("signal", name)]).await;
                }
            });
        }
        Ok(Self { tasks, asked })
    }

    /// Does what is to be done, unless whoever sends signals will not wait for that.
    pub(super) async fn unless_enough<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => done,
            Ok(_) = self.asked.wait_for(|&times| times >= ENOUGH) => {
                let told = "got 3 SIGTERM/SIGINTs, forcefully exiting";
                Err(Failure::new(Exit::Failed, told))
            }
        }
    }
}
