//! The log of a workload's output, in the form of Docker's `json-file`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::LogFile;
use crate::launch::state::now;

/// A longer line is several entries, of which only the last ends with a newline, as with Docker.
const LONGEST_ENTRY: usize = 16 * 1024;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Appends entries, and starts anew when the file is long enough.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    bytes: u64,
    order: LogFile,
    /// Lines that have not ended yet.
    open: [Vec<u8>; 2],
    lost: u64,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Error => "stderr",
        }
    }
}

impl Log {
    pub(super) fn open(order: &LogFile) -> io::Result<Self> {
        let file = open(&order.path)?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            file,
            order: order.clone(),
            open: [Vec::new(), Vec::new()],
            lost: 0,
        })
    }

    /// Entries that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes output as it comes.
    pub(super) fn take(&mut self, stream: Stream, mut bytes: &[u8]) {
        let mut entries = Entries::default();
        let open = &mut self.open[stream as usize];
        while !bytes.is_empty() {
            let room = LONGEST_ENTRY - open.len();
            let line = bytes.iter().position(|&byte| byte == b'\n');
            let length = line.map_or(bytes.len(), |end| end + 1).min(room);
            let (now, later) = bytes.split_at(length);
            open.extend_from_slice(now);
            bytes = later;
            if open.ends_with(b"\n") {
                entries.add(stream, open);
                open.clear();
            } else if open.len() >= LONGEST_ENTRY {
                let whole = whole_characters(open);
                entries.add(stream, open.get(..whole).unwrap_or_default());
                open.drain(..whole);
            }
        }
        self.write(&entries);
    }

    /// What has no newline after it, at the end.
    pub(super) fn finish(&mut self) {
        let mut entries = Entries::default();
        for (stream, open) in [Stream::Output, Stream::Error]
            .into_iter()
            .zip(&mut self.open)
        {
            if !open.is_empty() {
                entries.add(stream, open);
                open.clear();
            }
        }
        self.write(&entries);
    }

    fn write(&mut self, entries: &Entries) {
        if entries.count == 0 {
            return;
        }
        let length = entries.text.len() as u64;
        let most = self.order.max_bytes;
        if most > 0
            && self.bytes > 0
            && self.bytes + length > most
            && let Err(error) = self.rotate()
        {
            tracing::warn!(%error, "log not rotated");
        }
        match self.file.write_all(&entries.text) {
            Ok(()) => self.bytes += length,
            // The disk is full: the workload goes on, the loss is counted.
            Err(_) => {
                self.lost += entries.count;
                // Half an entry would spoil the next; a file that cannot be cut keeps it.
                let _ = self.file.set_len(self.bytes);
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = &self.order.path;
        let numbered = |number: u32| -> PathBuf {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            name.into()
        };
        if self.order.max_files > 1 {
            for number in (1..self.order.max_files - 1).rev() {
                match fs::rename(numbered(number), numbered(number + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            fs::rename(path, numbered(1))?;
            self.file = open(path)?;
        } else {
            self.file.set_len(0)?;
        }
        self.bytes = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

/// How much of it can be cut off without cutting a character in two.
fn whole_characters(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        // Not at the very end, or not text at all.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => text.len(),
    }
}

/// Written at once.
#[derive(Default)]
struct Entries {
    text: Vec<u8>,
    count: u64,
}

impl Entries {
    fn add(&mut self, stream: Stream, line: &[u8]) {
        let line = serde_json::Value::from(String::from_utf8_lossy(line));
        let (name, time) = (stream.name(), now());
        let entry = format!("{{\"log\":{line},\"stream\":\"{name}\",\"time\":\"{time}\"}}\n");
        self.text.extend_from_slice(entry.as_bytes());
        self.count += 1;
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
