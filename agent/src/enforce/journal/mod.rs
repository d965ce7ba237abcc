//! What was changed and what it was before, on disk before it is changed.
//!
//! In: what is held. Out: a file from which the agent's next start, or its guardian, knows what to
//! give back. Append-only, a line a transition; compacted by a rename. Knows nothing of how a value is
//! written.

mod entry;
mod file;
mod fold;
mod lock;

#[cfg(test)]
mod tests;

pub(crate) use entry::Returned;
pub(crate) use file::{Journal, JournalError, JournalStatus};
pub(crate) use fold::State;
#[cfg(test)]
pub(crate) use fold::fold;
