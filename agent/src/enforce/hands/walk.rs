//! Writes that the kernel takes its time for.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{HandError, Progress, Walk};
use crate::cgroup::{self, Control, ControlError, Knob, Lowering, Setting};
use crate::enforce::claims::Value;

/// How long others wait for a freeze, which takes half a millisecond.
const PATIENCE: Duration = Duration::from_millis(10);

/// `memory.max` on its way below what is in use.
pub(super) struct Lowered(Lowering);

impl Lowered {
    /// Takes its first step.
    pub(super) fn start(
        mut lowering: Lowering,
        usage: u64,
        wanted: u64,
    ) -> Result<Progress, HandError> {
        match lowering.step()? {
            cgroup::Progress::Done(setting) => Ok(Progress::Done(Value::Setting(setting))),
            cgroup::Progress::Waiting { .. } => Ok(Progress::UnderWay {
                walk: Box::new(Self(lowering)),
                reason: format!(
                    "{usage} bytes are in use, more than {wanted}: memory.max follows as they are \
                     reclaimed"
                ),
            }),
        }
    }
}

impl Walk for Lowered {
    fn step(&mut self) -> Result<Option<Value>, HandError> {
        Ok(match self.0.step()? {
            cgroup::Progress::Done(setting) => Some(Value::Setting(setting)),
            cgroup::Progress::Waiting { .. } => None,
        })
    }

    fn can_be_dropped(&self) -> bool {
        true
    }
}

/// A freeze, on a thread of its own: a process that waits for a device holds it up.
pub(super) struct Freezing {
    result: Receiver<Result<Setting, ControlError>>,
    control: std::sync::Arc<Control>,
}

impl Freezing {
    /// Begins, and waits for as long as a freeze usually takes.
    pub(super) fn start(control: Control) -> Result<Progress, HandError> {
        let control = std::sync::Arc::new(control);
        let (done, result) = sync_channel(1);
        let on_thread = std::sync::Arc::clone(&control);
        thread::Builder::new()
            .name("freeze".into())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = done.send(on_thread.write(&Setting::Freeze(true)));
            })
            .map_err(|error| HandError::Failed(format!("cannot start a thread: {error}")))?;
        let freezing = Self { result, control };
        match freezing.result.recv_timeout(PATIENCE) {
            Ok(result) => freezing.outcome(result).map(Progress::Done),
            Err(RecvTimeoutError::Timeout) => Ok(Progress::UnderWay {
                walk: Box::new(freezing),
                reason: "its processes are still stopping".into(),
            }),
            Err(RecvTimeoutError::Disconnected) => Err(broken_off()),
        }
    }

    /// What is asked for stays asked for: it is in force for all who can be stopped.
    fn outcome(&self, result: Result<Setting, ControlError>) -> Result<Value, HandError> {
        match result {
            Ok(setting) => Ok(Value::Setting(setting)),
            Err(error @ ControlError::NotFrozen { .. }) => {
                tracing::warn!(%error, "asked to freeze");
                Ok(Value::Setting(self.control.read(Knob::Freeze)?))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Walk for Freezing {
    fn step(&mut self) -> Result<Option<Value>, HandError> {
        match self.result.try_recv() {
            Ok(result) => self.outcome(result).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(broken_off()),
        }
    }

    fn can_be_dropped(&self) -> bool {
        false
    }
}

fn broken_off() -> HandError {
    HandError::Failed("the thread that freezes ended early".into())
}
