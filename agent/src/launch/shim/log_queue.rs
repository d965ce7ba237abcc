//! Between a workload's output and its log: the disk may be slow, or hang, and the workload is not to wait for it.
//!
//! The files are written by a thread, which is there from the first entry on: by then nothing is cloned any more.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::log::Entries;
use super::log_writer::Writer;
use super::request::Patience;
use super::{LogEnd, LogFile};

/// How long output is held up by a full buffer, once until the log has caught up.
const BRIEFLY: Duration = Duration::from_millis(500);
/// How long the end waits for the last entries.
const FAREWELL: Duration = Duration::from_secs(10);
/// It calls `write` and `rename`.
const STACK: usize = 128 * 1024;

/// What waits to be written.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    thread: Thread,
    patience: Patience,
    most_bytes: usize,
    /// Left out since the last that was let in.
    missing: u64,
    /// The log is behind, and has been waited for.
    gave_up: bool,
}

#[derive(Debug)]
enum Thread {
    NotYet(Writer),
    Runs,
    Refused,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Entries, and how many are missing before them. The first may be being written.
    waiting: VecDeque<Arc<(Entries, u64)>>,
    bytes: usize,
    writing: bool,
    /// As far as it is written.
    end: LogEnd,
    /// Nobody waits for the rest any more.
    abandoned: bool,
    lost: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, until `deadline` if there is one.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        let Some(deadline) = deadline else {
            let woken = self.changed.wait(state);
            return woken.unwrap_or_else(PoisonError::into_inner);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let woken = self.changed.wait_timeout(state, left);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Queue {
    pub(super) fn new(order: &LogFile, writer: Writer) -> Self {
        let shared = Shared::default();
        shared.state().end = writer.end();
        Self {
            shared: Arc::new(shared),
            thread: Thread::NotYet(writer),
            patience: order.patience,
            most_bytes: usize::try_from(order.buffer_bytes).unwrap_or(usize::MAX),
            missing: 0,
            gave_up: false,
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.shared.state().lost
    }

    /// As far as the log is written, and what is on its way there.
    pub(super) fn written(&self) -> (LogEnd, Vec<Arc<(Entries, u64)>>) {
        let state = self.shared.state();
        (state.end, state.waiting.iter().cloned().collect())
    }

    /// Takes entries, or counts them as lost.
    pub(super) fn push(&mut self, entries: Entries) {
        if entries.count == 0 {
            return;
        }
        if !self.is_served() {
            self.shared.state().lost += entries.count;
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if state.bytes == 0 {
            self.gave_up = false;
        }
        let deadline = match self.patience {
            Patience::Ever => None,
            Patience::Briefly if !self.gave_up => Some(Instant::now() + BRIEFLY),
            Patience::Briefly | Patience::None => Some(Instant::now()),
        };
        // One that is larger than the buffer goes alone.
        while state.bytes > 0 && state.bytes + entries.text.len() > self.most_bytes {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.gave_up = true;
                self.missing += entries.count;
                state.lost += entries.count;
                return;
            }
            state = shared.wait(state, deadline);
        }
        state.bytes += entries.text.len();
        let missing = std::mem::take(&mut self.missing);
        state.waiting.push_back(Arc::new((entries, missing)));
        shared.changed.notify_all();
    }

    /// Waits until all is written, or as long as is decent.
    pub(super) fn drain(&mut self) {
        let mut state = self.shared.state();
        if self.missing > 0 {
            let missing = std::mem::take(&mut self.missing);
            let notice = Arc::new((Entries::default(), missing));
            state.waiting.push_back(notice);
            self.shared.changed.notify_all();
        }
        let deadline = match self.patience {
            Patience::Ever => None,
            Patience::Briefly | Patience::None => Some(Instant::now() + FAREWELL),
        };
        while !state.waiting.is_empty() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                state.abandoned = true;
                let rest = state.waiting.iter().skip(usize::from(state.writing));
                let lost: u64 = rest.map(|waiting| waiting.0.count).sum();
                state.lost += lost;
                state.waiting.clear();
                return;
            }
            state = self.shared.wait(state, deadline);
        }
    }

    /// Starts the thread with the first entries; `false`: there is none.
    fn is_served(&mut self) -> bool {
        let mut writer = match std::mem::replace(&mut self.thread, Thread::Refused) {
            Thread::NotYet(writer) => writer,
            before => {
                self.thread = before;
                return matches!(self.thread, Thread::Runs);
            }
        };
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name("plimsoll-log".into())
            .stack_size(STACK);
        match thread.spawn(move || serve(&shared, &mut writer)) {
            Ok(_) => self.thread = Thread::Runs,
            Err(error) => tracing::error!(%error, "no log: there is no thread to write it"),
        }
        matches!(self.thread, Thread::Runs)
    }
}

/// The thread. It ends with the process.
fn serve(shared: &Shared, writer: &mut Writer) {
    let mut state = shared.state();
    loop {
        let Some(first) = state.waiting.front().cloned() else {
            state = shared.wait(state, None);
            continue;
        };
        state.writing = true;
        drop(state);
        let (entries, missing) = &*first;
        let lost = writer.write(entries, *missing);
        state = shared.state();
        state.waiting.pop_front();
        state.writing = false;
        state.end = writer.end();
        state.bytes = state.bytes.saturating_sub(entries.text.len());
        state.lost += lost;
        shared.changed.notify_all();
        if state.abandoned {
            return;
        }
    }
}
