//! The thread in which policies are evaluated: it owns the evaluator, the senses and the history.
//!
//! In: snapshots, events, commands. Out: [`Order`]s on a bounded channel, and a [`Status`]. It sleeps
//! until one of them, an alarm of the kernel, or the time of something that is due. An order that finds
//! the channel full waits here and is sent when there is room; none is passed over by a later one.

mod handle;
mod outbox;
mod status;
mod work;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::handle::Command;
use self::outbox::Outbox;
use self::work::Work;
use super::evaluate::Evaluator;
use super::order::Order;
use super::sense::Sense;
use super::set::PolicySet;
use crate::cgroup::Layout;
use crate::ledger::{Event, EventLog, Snapshot};

pub use self::handle::{Handle, HandleError};
pub use self::status::{OrderCount, Status};

/// Commands that may wait.
const COMMANDS: usize = 16;
/// How often the status is published, besides after each snapshot.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// Orders that found no room are tried again after this.
const RETRY: Duration = Duration::from_millis(10);
/// Longest sleep.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What the engine works with.
pub struct Parts {
    pub set: Arc<PolicySet>,
    pub layout: Layout,
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    pub log: EventLog,
    pub orders: mpsc::Sender<Order>,
    /// How much time a replay can go back; zero keeps no history.
    pub history: Duration,
    pub token: CancellationToken,
}

/// Starts the thread; it ends when the token is cancelled, or nobody takes orders any more.
///
/// # Errors
/// No thread, or no descriptor for it to wait with.
pub fn start(parts: Parts) -> io::Result<(Handle, std::thread::JoinHandle<()>)> {
    let sense = Sense::open(parts.layout.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (publish, status) = watch::channel(Arc::new(Status::default()));
    let handle = Handle::new(commands, status);
    let engine = Engine::new(parts, sense, inbox, publish);
    let thread = std::thread::Builder::new()
        .name("policy".into())
        .spawn(move || {
            prefer_this_thread();
            runtime.block_on(async {
                if let Err(error) = engine.run().await {
                    tracing::error!(%error, "policies are no longer evaluated");
                }
            });
        })?;
    Ok((handle, thread))
}

/// A workload that takes every CPU must not keep its own policy waiting.
fn prefer_this_thread() {
    const NICE: i32 = -10;
    // SAFETY: gettid has no arguments and cannot fail.
    let thread = unsafe { nix::libc::gettid() };
    let who = nix::libc::id_t::try_from(thread).unwrap_or(0);
    // SAFETY: setpriority takes plain numbers; which thread it is, was just asked.
    let set = unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, who, NICE) };
    if set != 0 {
        let error = io::Error::last_os_error();
        tracing::debug!(%error, "policies are evaluated at the usual priority");
    }
}

/// The thread's state.
struct Engine {
    work: Work,
    outbox: Outbox,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    log: EventLog,
    events: broadcast::Receiver<Arc<Event>>,
    /// Frequent ones, too.
    hears_all: bool,
    /// Number of the last event that was taken.
    last_event: u64,
    commands: mpsc::Receiver<Command>,
    publish: watch::Sender<Arc<Status>>,
    published: Instant,
    /// Whether there is something new to publish.
    changed: bool,
    token: CancellationToken,
}

/// What the thread was woken by.
enum Woken {
    Stop,
    Snapshot,
    Event(Result<Arc<Event>, RecvError>),
    Command(Command),
    Alarm,
    Time,
    Room,
}

impl Engine {
    fn new(
        parts: Parts,
        sense: Sense,
        commands: mpsc::Receiver<Command>,
        publish: watch::Sender<Arc<Status>>,
    ) -> Self {
        let events = parts.log.subscribe_seldom();
        let last_event = parts.log.last_sequence();
        let evaluator = Evaluator::new(parts.set);
        let mut engine = Self {
            last_event,
            hears_all: false,
            work: Work::new(evaluator, sense, parts.layout, parts.history),
            outbox: Outbox::new(parts.orders),
            snapshots: parts.snapshots,
            log: parts.log,
            events,
            commands,
            publish,
            published: Instant::now(),
            changed: true,
            token: parts.token,
        };
        engine.listen();
        engine
    }

    async fn run(mut self) -> io::Result<()> {
        let alarms = self.work.sense.descriptor()?;
        // SAFETY: an owned descriptor is open, and the same one, until it is dropped.
        let alarms = unsafe { AsyncFd::register_with_interest(alarms, Interest::READABLE) }
            .map_err(io::Error::from)?;
        loop {
            match self.wait(&alarms).await? {
                Woken::Stop => return Ok(()),
                Woken::Snapshot => self.take_snapshot(),
                Woken::Event(event) => self.take_events(event),
                Woken::Command(command) => self.obey(command),
                Woken::Alarm => self.work.hear(&mut self.outbox),
                Woken::Time => self.work.pass_time(&mut self.outbox),
                Woken::Room => {}
            }
            self.outbox.flush();
            if self.outbox.is_closed() {
                return Ok(());
            }
            if self.changed && self.published.elapsed() >= STATUS_EVERY {
                self.publish();
            }
        }
    }

    /// Hears of what rules count, and is not woken by more than that.
    fn listen(&mut self) {
        let all = self.work.counts_frequent();
        if all == self.hears_all {
            return;
        }
        let events = match all {
            true => self.log.subscribe(),
            false => self.log.subscribe_seldom(),
        };
        // What both bring is taken once.
        self.drain_events();
        self.events = events;
        self.hears_all = all;
    }

    async fn wait(&mut self, alarms: &AsyncFd<OwnedFd>) -> io::Result<Woken> {
        let now = Instant::now();
        let mut wake = self.work.due().unwrap_or(now + LONGEST);
        if self.changed {
            wake = wake.min(self.published + STATUS_EVERY);
        }
        let retry = self.outbox.is_waiting().then_some(RETRY);
        let sleep = tokio::time::sleep_until(wake.max(now).into());
        Ok(tokio::select! {
            () = self.token.cancelled() => Woken::Stop,
            // Before all else: what it is about is already under way.
            ready = alarms.readable() => {
                ready?.clear_ready();
                Woken::Alarm
            }
            () = sleep => Woken::Time,
            event = self.events.recv() => Woken::Event(event),
            Some(command) = self.commands.recv() => Woken::Command(command),
            Ok(()) = self.snapshots.changed() => Woken::Snapshot,
            () = retry_after(retry) => Woken::Room,
        })
    }

    fn take_snapshot(&mut self) {
        self.pass_over_unheard();
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        self.work.take_snapshot(&snapshot, &mut self.outbox);
        self.changed = true;
        self.publish();
    }

    /// What was not to be heard is not lost, should the seldom ones come too fast later.
    fn pass_over_unheard(&mut self) {
        if self.hears_all {
            return;
        }
        // Whatever of these is to be heard is in the channel by now.
        let told = self.log.last_sequence();
        self.drain_events();
        self.last_event = self.last_event.max(told);
    }

    fn take_events(&mut self, first: Result<Arc<Event>, RecvError>) {
        match first {
            Ok(event) => self.take_event(&event),
            Err(RecvError::Lagged(_)) => self.catch_up(),
            // The log lives in `self`.
            Err(RecvError::Closed) => {}
        }
        self.drain_events();
    }

    fn drain_events(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.take_event(&event),
                Err(TryRecvError::Lagged(_)) => self.catch_up(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Takes what was missed from the log's memory.
    fn catch_up(&mut self) {
        let missed = self.log.since(self.last_event, usize::MAX);
        let first = missed
            .first()
            .map_or(self.last_event + 1, |event| event.sequence);
        self.work.lost_events += first.saturating_sub(self.last_event + 1);
        for event in missed {
            self.take_event(&event);
        }
    }

    fn take_event(&mut self, event: &Event) {
        // Those that were caught up on come once more.
        if event.sequence > self.last_event {
            self.last_event = event.sequence;
            self.changed |= self.work.take_event(event, &mut self.outbox);
        }
    }

    fn obey(&mut self, command: Command) {
        self.work.obey(command, &mut self.outbox);
        self.listen();
        self.changed = true;
        self.outbox.flush();
        self.publish();
    }

    fn publish(&mut self) {
        self.changed = false;
        self.published = Instant::now();
        self.publish
            .send_replace(Arc::new(self.work.status(&self.outbox)));
    }
}

async fn retry_after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
