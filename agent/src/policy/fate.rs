//! What became of an order, as far as its rule has to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// 0 is no answer yet.
const SETTLED: u8 = 1;
const PUT_OFF: u8 = 2;

/// Shared by who decided and who acts: an order that is refused for a reason that may pass is given
/// again, for as long as its condition holds. What is never answered, as in a replay, is not.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    answer: Arc<AtomicU8>,
    again: bool,
}

impl Fate {
    /// Of an order that was put off before.
    #[must_use]
    pub fn again() -> Self {
        Self {
            again: true,
            ..Self::default()
        }
    }

    /// Whether the same order was put off before, and that was told.
    #[must_use]
    pub const fn is_again(&self) -> bool {
        self.again
    }

    /// It is done, or will never be.
    pub fn settle(&self) {
        self.answer.store(SETTLED, Ordering::Relaxed);
    }

    /// It was not done, and might be later.
    pub fn put_off(&self) {
        self.answer.store(PUT_OFF, Ordering::Relaxed);
    }

    /// Whether there is nothing more to wait for.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.answer.load(Ordering::Relaxed) == SETTLED
    }

    /// Whether it was put off.
    #[must_use]
    pub fn is_put_off(&self) -> bool {
        self.answer.load(Ordering::Relaxed) == PUT_OFF
    }
}
