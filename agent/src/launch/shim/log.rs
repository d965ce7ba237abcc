//! The log of a workload's output, in the form of Docker's `json-file`: from output to entries.

use std::io;

use serde::Deserialize;

use super::log_queue::Queue;
use super::log_writer::Writer;
use super::{LogEnd, LogFile};
use crate::launch::state::now;

/// A longer line is several entries, of which only the last ends with a newline, as with Docker.
const LONGEST_ENTRY: usize = 16 * 1024;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Makes entries of output, and has them written.
#[derive(Debug)]
pub(super) struct Log {
    /// Lines that have not ended yet.
    open: [Vec<u8>; 2],
    queue: Queue,
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
        let writer = Writer::open(order)?;
        Ok(Self {
            open: [Vec::new(), Vec::new()],
            queue: Queue::new(order, writer),
        })
    }

    /// Entries that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// As far as it is written, and the output after that, up to now.
    pub(super) fn so_far(&self) -> (LogEnd, Vec<(Stream, Vec<u8>)>) {
        let (end, waiting) = self.queue.written();
        let mut output = Vec::new();
        for waiting in waiting {
            let (entries, missing) = &*waiting;
            if *missing > 0 {
                output.extend(Entries::notice(*missing).output());
            }
            output.extend(entries.output());
        }
        let open = [Stream::Output, Stream::Error]
            .into_iter()
            .zip(self.open.iter().cloned());
        output.extend(open.filter(|(_, bytes)| !bytes.is_empty()));
        (end, output)
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
        self.queue.push(entries);
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
        self.queue.push(entries);
        self.queue.drain();
    }
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
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) text: Vec<u8>,
    pub(super) count: u64,
}

impl Entries {
    /// In place of what is missing.
    pub(super) fn notice(missing: u64) -> Self {
        let mut entries = Self::default();
        let text = format!(
            "plimsoll: {missing} lines of output are missing here: the log could not take them\n"
        );
        entries.add(Stream::Error, text.as_bytes());
        entries
    }

    /// What they were made of.
    fn output(&self) -> Vec<(Stream, Vec<u8>)> {
        #[derive(Deserialize)]
        struct Entry {
            log: String,
            stream: String,
        }
        let lines = self.text.split(|&byte| byte == b'\n');
        let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        let output = entries.map(|entry| {
            let is_error = entry.stream == Stream::Error.name();
            let stream = if is_error {
                Stream::Error
            } else {
                Stream::Output
            };
            (stream, entry.log.into_bytes())
        });
        output.collect()
    }

    pub(super) fn add(&mut self, stream: Stream, line: &[u8]) {
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
