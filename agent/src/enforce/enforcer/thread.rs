//! The thread: waits for orders, commands, foreign writes, the guardian and time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot, watch};

use super::books::Books;
use super::timers::Timers;
use super::{Answer, Enforcer};
use crate::cgroup::{Control, Layout};
use crate::enforce::Status;
use crate::enforce::audit::Audit;
use crate::enforce::claims::{Machine, Owner};
use crate::enforce::guard::{Budgets, Lookout};
use crate::enforce::guardian::{Guardian, Program};
use crate::enforce::handle::{Command, Handle};
use crate::enforce::hands::{Hands, Kernel};
use crate::enforce::hold::Hold;
use crate::enforce::once::{self, Errands, Finished};
use crate::enforce::watch::FileWatch;
use crate::ledger::{EventLog, Snapshot};
use crate::policy::{Mode, Order, Protect};

/// Commands that may wait.
const COMMANDS: usize = 64;
/// Ends of errands that may wait: three times as many as can be under way.
const FINISHED: usize = 1_024;
/// How long errands may take to end, when the agent does; and what is given back.
const ERRANDS: Duration = Duration::from_millis(100);
const GIVE_BACK: Duration = Duration::from_millis(550);
/// Orders carried out before anything else gets its turn again.
const BATCH: usize = 32;

/// What enforcement works with.
pub struct Parts {
    pub layout: Arc<Layout>,
    pub settings: Settings,
    /// Of policies. Operators ask through the [`Handle`].
    pub orders: mpsc::Receiver<Order>,
    /// Names and labels of workloads, and the host's figures.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    pub log: EventLog,
    pub audit: Audit,
    /// Who is asked to do what is done once.
    pub once: once::Settings,
}

/// How it is done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the journal is.
    pub state_dir: PathBuf,
    pub mode: Mode,
    pub protect: Protect,
    /// Run as the guardian instead of this binary's own verb: path and arguments.
    pub guardian: Option<(PathBuf, Vec<std::ffi::OsString>)>,
}

/// Starts the thread. It takes up what an earlier agent left before it does anything else.
///
/// # Errors
/// The thread, or what it waits with, cannot be made.
pub fn start(parts: Parts) -> io::Result<(Handle, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (commands, asked) = mpsc::channel(COMMANDS);
    let (finish, finished) = mpsc::channel(FINISHED);
    let (publish, status) = watch::channel(Arc::new(Status::new()));
    let handle = Handle {
        commands,
        status,
        audit: parts.audit.clone(),
    };
    let report = move |one: Finished| {
        let id = one.id;
        if let Err(error) = finish.try_send(one) {
            tracing::error!(%error, action = id, "the end of an action is not recorded");
        }
    };
    let errands = Errands::start(parts.once.clone(), parts.audit.clone(), report)?;
    let thread = std::thread::Builder::new()
        .name("enforce".into())
        .spawn(move || {
            let waits = Waits {
                asked,
                orders: Some(parts.orders),
                finished,
                publish,
                guardian: None,
            };
            let layout = Arc::clone(&parts.layout);
            let enforcer = Enforcer::new(
                Kernel::new(Arc::clone(&parts.layout)),
                parts.settings,
                parts.snapshots,
                Books::new(parts.audit, parts.log),
                lookout(&layout),
                Box::new(move |owner| Control::open(&layout, &owner.placement)),
                Some(errands),
            );
            runtime.block_on(waits.serve(enforcer));
        })?;
    Ok((handle, thread))
}

fn lookout(layout: &Arc<Layout>) -> super::Look {
    let lookout = Lookout::new(Arc::clone(layout));
    Box::new(move |sites, guardian, known| lookout.look(sites, guardian, known))
}

impl<H: Hands> Enforcer<H> {
    pub(super) fn new(
        hands: H,
        settings: Settings,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        books: Books,
        look: super::Look,
        control: Box<dyn Fn(&Owner) -> Control + Send>,
        errands: Option<Errands>,
    ) -> Self {
        let Settings {
            state_dir,
            mode,
            protect,
            guardian,
        } = settings;
        let program = match guardian {
            Some((path, arguments)) => Program { path, arguments },
            None => Program::default(),
        };
        let watch = FileWatch::new().inspect_err(|error| {
            tracing::warn!(%error, "foreign writes are seen late: no inotify");
        });
        let budgets = Budgets::new(protect.max_actions_per_minute, protect.max_kills_per_hour);
        let now = Instant::now();
        let mut hold = Hold::new(hands, state_dir.clone());
        hold.number_from(books.last_number() + 1);
        Self {
            hold,
            look,
            protect,
            budgets,
            mode,
            machine: Machine::of_host(),
            guardian: Some(Guardian::new(program, &state_dir)),
            snapshots,
            errands,
            control,
            books,
            timers: Timers::new(now),
            watch: watch.ok(),
            reasserted: Default::default(),
            alerted: Default::default(),
            under_way: Default::default(),
            unread_journal: None,
            retry_at: now,
        }
    }
}

/// What the thread waits for.
struct Waits {
    asked: mpsc::Receiver<Command>,
    /// `None`: policy has ended.
    orders: Option<mpsc::Receiver<Order>>,
    finished: mpsc::Receiver<Finished>,
    publish: watch::Sender<Arc<Status>>,
    /// The process that is watched, and what becomes readable when it is gone.
    guardian: Option<(u32, AsyncFd<OwnedFd>)>,
}

/// What came.
enum Came {
    Command(Option<Command>),
    Orders(Vec<Order>),
    Finished(Finished),
    Written,
    GuardianGone,
    Time,
}

impl Waits {
    async fn serve<H: Hands>(mut self, mut enforcer: Enforcer<H>) {
        enforcer.begin();
        let watch = enforcer.watch.as_ref();
        let written = watch.and_then(|watch| readable(watch.as_fd()));
        loop {
            self.publish(&enforcer);
            self.watch_guardian(&enforcer);
            let due = enforcer.next_due(Instant::now());
            match self.next(due, written.as_ref()).await {
                Came::Command(None) => return self.end(enforcer, None),
                Came::Command(Some(Command::Shutdown(done))) => {
                    return self.end(enforcer, Some(done));
                }
                Came::Command(Some(command)) => enforcer.answer(command),
                Came::Orders(orders) => {
                    for order in orders {
                        enforcer.order(order);
                    }
                }
                Came::Finished(finished) => enforcer.finished(finished),
                Came::Written => enforcer.look_at_written(),
                Came::GuardianGone => enforcer.replace_guardian(),
                Came::Time => {}
            }
            enforcer.on_time(Instant::now());
        }
    }

    async fn next(&mut self, due: Instant, written: Option<&AsyncFd<OwnedFd>>) -> Came {
        let guardian = self.guardian.as_ref().map(|(_, descriptor)| descriptor);
        tokio::select! {
            command = self.asked.recv() => Came::Command(command),
            Some(finished) = self.finished.recv() => Came::Finished(finished),
            orders = batch(&mut self.orders) => Came::Orders(orders),
            () = ready(written) => Came::Written,
            () = ready(guardian) => Came::GuardianGone,
            () = tokio::time::sleep_until(due.into()) => Came::Time,
        }
    }

    fn publish<H: Hands>(&self, enforcer: &Enforcer<H>) {
        let status = enforcer.status();
        self.publish.send_if_modified(|last| {
            let changed = **last != status;
            if changed {
                *last = Arc::new(status);
            }
            changed
        });
    }

    /// There may be another one than before, or none.
    fn watch_guardian<H>(&mut self, enforcer: &Enforcer<H>) {
        let guardian = enforcer.guardian.as_ref();
        let now = guardian.and_then(|guardian| Some((guardian.pid()?, guardian.descriptor()?)));
        let watched = self.guardian.as_ref().map(|(pid, _)| *pid);
        if now.map(|(pid, _)| pid) != watched {
            self.guardian = now.and_then(|(pid, descriptor)| Some((pid, readable(descriptor)?)));
        }
    }

    fn end<H: Hands>(mut self, mut enforcer: Enforcer<H>, done: Option<oneshot::Sender<()>>) {
        enforcer.stop_errands(ERRANDS);
        while let Ok(finished) = self.finished.try_recv() {
            enforcer.finished(finished);
        }
        enforcer.end(GIVE_BACK);
        self.publish(&enforcer);
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

impl<H: Hands> Enforcer<H> {
    fn answer(&mut self, command: Command) {
        // Whoever asked may have gone: then nobody is told.
        match command {
            Command::Order(order, reply) => match self.order(*order) {
                Answer::Now(records) => drop(reply.send(records)),
                Answer::Later(number) => self.reply_later(number, reply),
            },
            Command::Undo(action, reply) => drop(reply.send(self.undo(action))),
            Command::Thaw(workload, reply) => drop(reply.send(self.thaw(&workload))),
            Command::Limits(placement, reply) => drop(reply.send(self.limits(&placement))),
            Command::Claims(reply) => drop(reply.send(self.claims())),
            Command::ReleasePolicy(name, reply) => {
                let records = self.release_policies("the policy is no longer in force", |claim| {
                    claim.is_of_policy(&name)
                });
                drop(reply.send(records));
            }
            Command::KeepPolicies(names, reply) => {
                let records = self.release_policies("there is no such policy any more", |claim| {
                    !names.iter().any(|name| claim.is_of_policy(name))
                });
                drop(reply.send(records));
            }
            Command::Protect(protect) => self.set_protect(*protect),
            Command::Mode(mode) => self.set_mode(mode),
            // Taken by who waits.
            Command::Shutdown(_) => {}
        }
    }
}

/// Orders that have come; for ever none, when policy has ended.
async fn batch(orders: &mut Option<mpsc::Receiver<Order>>) -> Vec<Order> {
    let mut batch = Vec::new();
    if let Some(open) = orders
        && open.recv_many(&mut batch, BATCH).await > 0
    {
        return batch;
    }
    *orders = None;
    std::future::pending().await
}

/// Waits until there is something to read; for ever, if there is nothing to wait for.
async fn ready(descriptor: Option<&AsyncFd<OwnedFd>>) {
    if let Some(descriptor) = descriptor
        && let Ok(mut guard) = descriptor.readable().await
    {
        guard.clear_ready();
        return;
    }
    std::future::pending::<()>().await;
}

/// A descriptor of its own for the same file.
fn readable(descriptor: BorrowedFd<'_>) -> Option<AsyncFd<OwnedFd>> {
    let own = descriptor.try_clone_to_owned().ok()?;
    // SAFETY: an owned descriptor is open, and the same one, until it is dropped.
    unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }.ok()
}
