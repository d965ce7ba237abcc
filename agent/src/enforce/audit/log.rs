//! The audit as others hold it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file::LogFile;
use super::query::{Answer, Query};
use super::read::Files;
use super::recent::Recent;
use super::writer::{Message, Writer};
use crate::config::AuditConfig;
use crate::enforce::Record;

/// Records that may wait for the disk: a minute of a hung disk at seventy actions a second.
const QUEUE: usize = 4_096;
/// Lines looked at for the highest number: later ones of long actions cross by fewer.
const LAST_LINES: usize = 256;

/// Takes records and finds them again. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    recent: Recent,
    counts: Arc<Counts>,
    /// `None`: no file is written.
    inbox: Option<SyncSender<Message>>,
    files: Option<Files>,
}

/// How the writing goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The file; `None`: switched off.
    pub path: Option<PathBuf>,
    /// Records on the disk, since the start.
    pub written: u64,
    /// Records that did not get there.
    pub lost: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Why the last one failed; `None` when it did not.
    pub error: Option<String>,
}

impl Audit {
    /// Starts the thread that writes. A file that cannot be written is a state ([`Status::error`]),
    /// not an error: it is tried again with every record.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(config: &AuditConfig) -> io::Result<Self> {
        let counts = Arc::new(Counts::default());
        let on = !config.path.as_os_str().is_empty();
        let inbox = if on {
            let (sender, inbox) = mpsc::sync_channel(QUEUE);
            let writer = Writer::new(inbox, LogFile::new(config), Arc::clone(&counts));
            std::thread::Builder::new()
                .name("audit".into())
                .spawn(move || writer.run())?;
            Some(sender)
        } else {
            None
        };
        let shared = Shared {
            recent: Recent::default(),
            counts,
            inbox,
            files: on.then(|| Files::of(config)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Keeps a record. Never waits: what the disk has no time for is counted, and said in the file.
    pub fn push(&self, record: Arc<Record>) {
        self.shared.recent.push(Arc::clone(&record));
        let Some(inbox) = &self.shared.inbox else {
            return;
        };
        match inbox.try_send(Message::Record(record)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.counts.turned_away();
            }
        }
    }

    /// What was asked for, from memory and, as far as that does not reach back, from the files. It
    /// may read all of them: not for a thread that has something else to do.
    #[must_use]
    pub fn query(&self, query: &Query) -> Answer {
        query.run(&self.shared.recent, self.shared.files.as_ref())
    }

    /// What was asked for of the last thousand records, the oldest first. Reads no file.
    #[must_use]
    pub fn remembered(&self, query: &Query) -> Vec<Arc<Record>> {
        query.run(&self.shared.recent, None).records
    }

    /// The highest number of an action in the file; 0 when there is none. Numbers that go on from it
    /// stay unique over restarts and boots.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        let files = self.shared.files.as_ref();
        files.map_or(0, |files| files.highest_id(LAST_LINES))
    }

    /// How the writing goes.
    #[must_use]
    pub fn status(&self) -> Status {
        let path = self.shared.files.as_ref().map(|files| files.path().into());
        self.shared.counts.status(path)
    }

    /// Waits until all that was pushed before is on the disk or given up; `false`: not in time.
    pub fn flush(&self, timeout: Duration) -> bool {
        let Some(inbox) = &self.shared.inbox else {
            return true;
        };
        let (done, wait) = mpsc::sync_channel(1);
        inbox.try_send(Message::Flush(done)).is_ok() && wait.recv_timeout(timeout).is_ok()
    }
}

/// What the writer and those who push count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    written: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    /// Those of the lost that the writer does not know of yet.
    turned_away: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Counts {
    fn turned_away(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn take_turned_away(&self) -> u64 {
        self.turned_away.swap(0, Ordering::Relaxed)
    }

    /// `true`: the attempt before it failed.
    pub(super) fn succeeded(&self, records: u64) -> bool {
        self.written.fetch_add(records, Ordering::Relaxed);
        self.error().take().is_some()
    }

    /// `true`: this is news.
    pub(super) fn failed(&self, records: u64, reason: &str) -> bool {
        self.lost.fetch_add(records, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
        let before = self.error().replace(reason.to_owned());
        before.as_deref() != Some(reason)
    }

    fn status(&self, path: Option<PathBuf>) -> Status {
        Status {
            path,
            written: self.written.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            error: self.error().clone(),
        }
    }

    fn error(&self) -> MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
