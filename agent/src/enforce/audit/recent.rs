//! The last records, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::enforce::Record;

/// A record takes about a kilobyte.
const KEPT: usize = 1_024;

/// A ring of records, the newest last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Arc<Record>>>);

impl Recent {
    pub(super) fn push(&self, record: Arc<Record>) {
        let mut records = self.lock();
        if records.len() == KEPT {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// All of them, the newest first.
    pub(super) fn newest_first(&self) -> Vec<Arc<Record>> {
        self.lock().iter().rev().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Record>>> {
        // No code under the lock can leave the ring half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::audit::tests::record;

    #[test]
    fn the_oldest_goes_first() {
        let recent = Recent::default();
        for id in 1..=KEPT as u64 + 2 {
            recent.push(Arc::new(record(id)));
        }
        let records = recent.newest_first();
        assert_eq!(records.len(), KEPT);
        assert_eq!(records.first().map(|r| r.id), Some(KEPT as u64 + 2));
        assert_eq!(records.last().map(|r| r.id), Some(3));
    }
}
