//! The files of a log: appended to, and started anew when they are long enough.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::log::Entries;
use super::{LogEnd, LogFile};

/// Writes entries; may block for as long as the disk does.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    inode: u64,
    bytes: u64,
    order: LogFile,
    /// Entries that were not written since the last that was.
    missing: u64,
}

impl Writer {
    pub(super) fn open(order: &LogFile) -> io::Result<Self> {
        let (file, inode, bytes) = open(&order.path)?;
        Ok(Self {
            file,
            inode,
            bytes,
            order: order.clone(),
            missing: 0,
        })
    }

    /// As far as it is written.
    pub(super) const fn end(&self) -> LogEnd {
        LogEnd {
            inode: self.inode,
            bytes: self.bytes,
        }
    }

    /// Writes entries, and before them how many are missing; how many are lost now.
    pub(super) fn write(&mut self, entries: &Entries, missing: u64) -> u64 {
        self.missing += missing;
        if self.missing > 0 && self.append(&Entries::notice(self.missing).text) {
            self.missing = 0;
        }
        let mut rest = entries.text.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.before_rotation(rest));
            if !self.append(now) {
                break;
            }
            rest = later;
        }
        let lost = rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.missing += lost;
        lost
    }

    /// As Docker: a file that is long enough is left before the next entry, so that the last may go over the limit.
    fn is_full(&self) -> bool {
        self.order.max_bytes > 0 && self.bytes >= self.order.max_bytes
    }

    /// How much of some entries goes into one file.
    fn before_rotation(&self, entries: &[u8]) -> usize {
        let most = self.order.max_bytes;
        let room = match most {
            0 => return entries.len(),
            _ if self.is_full() => most,
            _ => most - self.bytes,
        };
        let last = usize::try_from(room).unwrap_or(usize::MAX) - 1;
        let rest = entries.get(last..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n');
        end.map_or(entries.len(), |end| last + end + 1)
    }

    fn append(&mut self, text: &[u8]) -> bool {
        if self.is_full()
            && let Err(error) = self.rotate()
        {
            tracing::warn!(%error, "log not rotated");
        }
        let written = self.file.write_all(text);
        match written {
            Ok(()) => self.bytes += text.len() as u64,
            // The disk is full. Half an entry would spoil the next; a file that cannot be cut keeps it.
            Err(_) => drop(self.file.set_len(self.bytes)),
        }
        written.is_ok()
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = &self.order.path;
        let numbered = |number: u32| -> PathBuf {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            name.into()
        };
        for number in (1..self.order.max_files.saturating_sub(1)).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(path, numbered(1))?;
        (self.file, self.inode, self.bytes) = open(path)?;
        if self.order.max_files <= 1 {
            // Not cut: whoever has read up to a place in it would take what comes next for what was before.
            fs::remove_file(numbered(1))?;
        }
        Ok(())
    }
}

/// The file, which it is, and how long.
fn open(path: &Path) -> io::Result<(File, u64, u64)> {
    let file = File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata.ino(), metadata.len()))
}
