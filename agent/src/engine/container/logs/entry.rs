//! One entry of a log in the form of Docker's `json-file`.

use std::time::SystemTime;

use bytes::Bytes;
use serde::Deserialize;

use crate::engine::container::name::instant;

/// Where output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    pub stream: Stream,
    pub bytes: Bytes,
}

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) stream: Stream,
    pub(super) time: SystemTime,
    text: String,
    log: String,
}

#[derive(Deserialize)]
struct Line {
    log: String,
    stream: String,
    time: String,
}

impl Entry {
    /// `None`: a line that a full disk or a power cut spoilt.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        Some(Self {
            stream: match line.stream.as_str() {
                "stderr" => Stream::Stderr,
                _ => Stream::Stdout,
            },
            time: instant(&line.time).ok()?,
            text: line.time,
            log: line.log,
        })
    }

    pub(super) fn chunk(self, timestamps: bool) -> LogChunk {
        let bytes = if timestamps {
            format!("{} {}", self.text, self.log).into()
        } else {
            self.log.into()
        };
        LogChunk {
            stream: self.stream,
            bytes,
        }
    }
}
