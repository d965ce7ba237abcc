//! One line of the file.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::enforce::Record;

/// What a line says.
#[derive(Debug)]
pub(super) enum Line {
    Record(Box<Record>),
    Lost(Lost),
}

/// Records that are missing before this line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    /// How many.
    pub(super) lost: u64,
    #[serde(with = "humantime_serde")]
    pub(super) time: SystemTime,
    pub(super) reason: String,
}

/// `None`: the line is damaged, or not one of ours.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    // Almost every line is a record.
    let record = serde_json::from_slice(line).map(Line::Record);
    record
        .or_else(|_| serde_json::from_slice(line).map(Line::Lost))
        .ok()
}

/// The line with its end.
pub(super) fn encode(line: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
