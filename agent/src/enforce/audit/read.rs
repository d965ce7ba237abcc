//! Reading the files back, the newest line first.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::{identity, rotated};
use super::line::{self, Line};
use crate::config::AuditConfig;

/// The files of one audit.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    files: u32,
}

/// What is to be looked at.
pub(super) enum Seen {
    Line(Line),
    /// Neither a record nor a loss.
    Damaged,
}

impl Files {
    pub(super) fn of(config: &AuditConfig) -> Self {
        Self {
            path: config.path.clone(),
            files: config.files,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Shows every line, the newest first, until told to stop. Leaves out files that were last
    /// written before `since`.
    pub(super) fn newest_first(
        &self,
        since: Option<SystemTime>,
        mut look: impl FnMut(Seen) -> ControlFlow<()>,
    ) {
        let mut read = Vec::new();
        for number in 0..self.files {
            let path = match number {
                0 => self.path.clone(),
                number => rotated(&self.path, number),
            };
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            // Rotated since the one before it was read: the same file under its next name.
            let file = identity(&metadata);
            if read.contains(&file) {
                continue;
            }
            read.push(file);
            let too_old = since.is_some_and(|since| metadata.modified().is_ok_and(|at| at < since));
            if too_old {
                continue;
            }
            let text = match fs::read(&path) {
                Ok(text) => text,
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "audit: file not read");
                    continue;
                }
            };
            // What follows the last newline is being written just now.
            let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
            let lines = text.get(..whole).unwrap_or_default();
            let lines = lines.rsplit(|byte| *byte == b'\n');
            for line in lines.filter(|line| !line.is_empty()) {
                let seen = line::parse(line).map_or(Seen::Damaged, Seen::Line);
                if look(seen).is_break() {
                    return;
                }
            }
        }
    }

    /// The highest number of an action in the last `lines` lines.
    pub(super) fn highest_id(&self, lines: usize) -> u64 {
        let (mut highest, mut left) = (0, lines);
        self.newest_first(None, |seen| {
            if let Seen::Line(Line::Record(record)) = seen {
                highest = highest.max(record.id);
            }
            left = left.saturating_sub(1);
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        highest
    }
}
