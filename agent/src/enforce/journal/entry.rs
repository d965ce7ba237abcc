//! One line of the journal.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::enforce::Outcome;
use crate::enforce::claims::{Held, Slot, Thing};
use crate::policy::Claimant;

/// What a line says. The last one about a slot is the state of that slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A thing is held like this; `pending`: is about to be.
    Held(Box<Held>),
    /// The original is back, or somebody else's value was left.
    Gone(Slot),
    /// A guardian gave something back, and nobody has told the audit.
    Returned(Returned),
    /// Numbers of actions below this one may have been given out.
    Numbers { below: u64 },
}

/// What a guardian did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Returned {
    #[serde(with = "humantime_serde")]
    pub(crate) time: SystemTime,
    pub(crate) claimant: Claimant,
    pub(crate) workload: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) thing: Thing,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) outcome: Outcome,
}

/// An entry with the boot in which it was true.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line<E> {
    pub(super) boot: String,
    pub(super) entry: E,
}

/// Hexadecimal digits of the checksum in front of each line.
const CHECKSUM: usize = 8;

/// `CRC32 JSON\n`: a line that was written in part only does not pass for a whole one.
pub(super) fn encode(boot: &str, entry: &Entry) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_string(&Line {
        boot: boot.to_owned(),
        entry,
    })?;
    let checksum = crc32fast::hash(json.as_bytes());
    Ok(format!("{checksum:08x} {json}\n").into_bytes())
}

/// A line without its end; `None`: damaged.
pub(super) fn decode(line: &[u8]) -> Option<Line<Entry>> {
    let (checksum, json) = line.split_at_checked(CHECKSUM)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = std::str::from_utf8(checksum).ok()?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    if crc32fast::hash(json) != checksum {
        return None;
    }
    serde_json::from_slice(json).ok()
}
