//! The file: locked, appended to, compacted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::entry::{Entry, Returned, encode};
use super::fold::{State, fold};
use super::lock::Lock;
use crate::enforce::claims::{Held, Slot};

const JOURNAL: &str = "journal";
const COMPACTED: &str = "journal.new";
const LOCK: &str = "lock";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A journal shorter than this is not worth compacting.
const COMPACT_ABOVE: u64 = 256 * 1024;

/// Action numbers that are reserved at a time, so that few lines do for many actions.
const NUMBERS: u64 = 1_024;

/// Why nothing can be journalled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("cannot make {path}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot lock {path}")]
    Lock { path: PathBuf, source: io::Error },
    #[error("another agent or its guardian holds {path}")]
    Held { path: PathBuf },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("an entry has no JSON form")]
    Encode(#[from] serde_json::Error),
}

/// How the journal does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct JournalStatus {
    pub(crate) bytes: u64,
    /// Since it was opened.
    pub(crate) syncs: u64,
    pub(crate) sync_time: Duration,
    pub(crate) failures: u64,
}

/// The journal of one agent, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    file: File,
    boot: String,
    status: JournalStatus,
    /// Length right after the last compaction.
    compacted_bytes: u64,
    numbers_below: u64,
    _lock: Lock,
}

impl Journal {
    /// Is there one, of whatever boot? An agent that has changed nothing has none.
    #[must_use]
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join(JOURNAL).exists()
    }

    /// Opens, or makes, the journal in `directory` (made with mode 0700), and waits up to `patience`
    /// for whoever holds it. What it says comes with it; a torn end is cut off.
    ///
    /// # Errors
    /// Somebody else holds it, or the directory cannot be read or written.
    pub(crate) fn open(
        directory: &Path,
        patience: Duration,
    ) -> Result<(Self, State), JournalError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory);
        made.map_err(|source| JournalError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let path = directory.join(LOCK);
        let lock = match Lock::take(&path, patience) {
            Ok(Some(lock)) => lock,
            Ok(None) => return Err(JournalError::Held { path }),
            Err(source) => return Err(JournalError::Lock { path, source }),
        };
        let read = |path: &str| {
            fs::read(path).map_err(|source| JournalError::Read {
                path: path.into(),
                source,
            })
        };
        let boot = String::from_utf8_lossy(&read(BOOT_ID)?).trim().to_owned();
        let path = directory.join(JOURNAL);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(JournalError::Read { path, source }),
        };
        let state = fold(&text, &boot);
        let whole = text.len() as u64 - state.torn_bytes;
        let file = append_to(&path)
            .and_then(|file| {
                if state.torn_bytes > 0 {
                    file.set_len(whole)?;
                }
                Ok(file)
            })
            .map_err(|source| JournalError::Write { path, source })?;
        let journal = Self {
            directory: directory.to_owned(),
            file,
            boot,
            status: JournalStatus {
                bytes: whole,
                ..JournalStatus::default()
            },
            compacted_bytes: 0,
            numbers_below: state.next_action,
            _lock: lock,
        };
        Ok((journal, state))
    }

    /// How it does.
    #[must_use]
    pub(crate) fn status(&self) -> JournalStatus {
        self.status
    }

    /// Writes down what is about to be changed, and returns when it is on the disk.
    ///
    /// # Errors
    /// It is not: nothing may be changed then.
    pub(crate) fn intend<'a>(
        &mut self,
        held: impl IntoIterator<Item = &'a Held>,
    ) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        let mut highest = 0;
        for held in held {
            let last = held.claims().iter().map(|claim| claim.action).max();
            highest = highest.max(last.unwrap_or(0));
            lines.extend(encode(&self.boot, &Entry::Held(Box::new(held.clone())))?);
        }
        if highest >= self.numbers_below {
            let below = highest + NUMBERS;
            lines.extend(encode(&self.boot, &Entry::Numbers { below })?);
            self.numbers_below = below;
        }
        self.append(&lines)?;
        let began = Instant::now();
        let synced = self.file.sync_data();
        self.status.syncs += 1;
        self.status.sync_time += began.elapsed();
        synced.map_err(|source| self.failed(source))
    }

    /// Writes down what became of it. Not synced: without this line the change counts as under way,
    /// and is given back all the same.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn settle(&mut self, slot: Slot, held: Option<&Held>) -> Result<(), JournalError> {
        let entry = match held {
            Some(held) => Entry::Held(Box::new(held.clone())),
            None => Entry::Gone(slot),
        };
        let line = encode(&self.boot, &entry)?;
        self.append(&line)
    }

    /// Leaves word of what was given back, for the next agent to tell.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn leave_word(&mut self, returned: Vec<Returned>) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        for returned in returned {
            lines.extend(encode(&self.boot, &Entry::Returned(returned))?);
        }
        self.append(&lines)
    }

    /// Is it long for what it says?
    #[must_use]
    pub(crate) fn is_long(&self) -> bool {
        self.status.bytes > COMPACT_ABOVE.max(self.compacted_bytes.saturating_mul(4))
    }

    /// Replaces it by a new one that says the same in as many lines as there are things held.
    ///
    /// # Errors
    /// The new one could not be written; the old one stays.
    pub(crate) fn compact<'a>(
        &mut self,
        held: impl IntoIterator<Item = &'a Held>,
        next_action: u64,
    ) -> Result<(), JournalError> {
        let mut lines = encode(&self.boot, &Entry::Numbers { below: next_action })?;
        for held in held {
            lines.extend(encode(&self.boot, &Entry::Held(Box::new(held.clone())))?);
        }
        let (new, path) = (self.directory.join(COMPACTED), self.directory.join(JOURNAL));
        let replace = || {
            // Left by one that was killed while it compacted.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = append_to(&new)?;
            file.write_all(&lines)?;
            file.sync_data()?;
            fs::rename(&new, &path)?;
            File::open(&self.directory)?.sync_all()?;
            Ok(file)
        };
        match replace() {
            Ok(file) => {
                self.file = file;
                self.status.bytes = lines.len() as u64;
                self.compacted_bytes = self.status.bytes;
                self.numbers_below = next_action;
                Ok(())
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), JournalError> {
        if let Err(source) = self.file.write_all(lines) {
            // A full disk takes a part of it, which must not stand before the next line. If this
            // fails too, the next line is damaged with it, and the next reader says so.
            let _ = self.file.set_len(self.status.bytes);
            return Err(self.failed(source));
        }
        self.status.bytes += lines.len() as u64;
        Ok(())
    }

    fn failed(&mut self, source: io::Error) -> JournalError {
        self.status.failures += 1;
        JournalError::Write {
            path: self.directory.join(JOURNAL),
            source,
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}
