//! What attending cost and brought.

use serde::{Deserialize, Serialize};

/// Counts since the start, but for the first two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenseTally {
    /// Workloads attended to now.
    pub attended: u64,
    /// Alarms set now.
    pub armed: u64,
    /// Times something was due.
    pub looks: u64,
    /// Files read.
    pub readings: u64,
    /// Times a workload was due and needed no reading, for the host had not grown enough.
    pub spared: u64,
    /// Alarms that went off.
    pub alarms: u64,
}
