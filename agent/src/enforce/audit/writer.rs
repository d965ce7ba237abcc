//! The thread that writes.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::SystemTime;

use super::file::{FileError, LogFile};
use super::line::{self, Lost};
use super::log::Counts;
use crate::enforce::Record;

/// Written at once, with one sync: fewer than the smallest file may be long.
const BATCH_BYTES: usize = 32 * 1024;

/// What comes to the writer.
pub(super) enum Message {
    Record(Arc<Record>),
    /// Answered when all before it is written, or given up.
    Flush(SyncSender<()>),
}

/// Owns the file. Ends when nobody can send any more.
pub(super) struct Writer {
    inbox: Receiver<Message>,
    file: LogFile,
    counts: Arc<Counts>,
    /// Records that are lost and not yet said to be, and why.
    unsaid: u64,
    reason: String,
}

impl Writer {
    pub(super) fn new(inbox: Receiver<Message>, file: LogFile, counts: Arc<Counts>) -> Self {
        Self {
            inbox,
            file,
            counts,
            unsaid: 0,
            reason: String::new(),
        }
    }

    pub(super) fn run(mut self) {
        // A path that cannot be written is told at the start, not at the first action.
        if let Err(error) = self.file.open().map(drop) {
            self.failed(&error, 0);
        }
        while let Ok(first) = self.inbox.recv() {
            let mut batch = Batch::default();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Record(record) => batch.push(&record),
                    Message::Flush(done) => batch.waiting.push(done),
                }
                next = (batch.lines.len() < BATCH_BYTES)
                    .then(|| self.inbox.try_recv().ok())
                    .flatten();
            }
            self.write(&batch);
            for done in batch.waiting {
                // Whoever waited may have given up.
                let _ = done.try_send(());
            }
        }
    }

    fn write(&mut self, batch: &Batch) {
        let turned_away = self.counts.take_turned_away();
        if turned_away > 0 {
            self.unsaid += turned_away;
            "the disk was slower than the actions came".clone_into(&mut self.reason);
        }
        let mut lines = self.lost_line();
        lines.extend_from_slice(&batch.lines);
        if lines.is_empty() {
            return;
        }
        match self.file.append(&lines) {
            Ok(()) => {
                self.unsaid = 0;
                if self.counts.succeeded(batch.records) {
                    tracing::info!("audit: the file is written again");
                }
            }
            Err(error) => self.failed(&error, batch.records),
        }
    }

    /// Says how many are missing, if any are.
    fn lost_line(&self) -> Vec<u8> {
        if self.unsaid == 0 {
            return Vec::new();
        }
        let lost = Lost {
            lost: self.unsaid,
            time: SystemTime::now(),
            reason: self.reason.clone(),
        };
        // A number and two strings have a JSON form.
        line::encode(&lost).unwrap_or_default()
    }

    fn failed(&mut self, error: &FileError, records: u64) {
        self.unsaid += records;
        self.reason = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        if self.counts.failed(records, &self.reason) {
            tracing::error!(
                reason = self.reason,
                "audit: actions are not written to the file"
            );
        }
    }
}

/// Lines to be written at once.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    records: u64,
    waiting: Vec<SyncSender<()>>,
}

impl Batch {
    fn push(&mut self, record: &Record) {
        match line::encode(record) {
            Ok(mut line) => {
                self.lines.append(&mut line);
                self.records += 1;
            }
            // Every type of a record has a JSON form.
            Err(error) => tracing::error!(%error, id = record.id, "audit: a record has no JSON"),
        }
    }
}
