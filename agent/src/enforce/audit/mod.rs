//! The audit: every decision and action, kept on disk, found again, and told in words.
//!
//! In: [`Record`]s, as soon as something was decided, done or refused. Out: JSON lines in
//! `[audit] path`, rotated; answers to `plimsoll actions` ([`Audit::query`]) and `plimsoll why`
//! ([`Explanation`]); one line for people ([`summary`]). Taking a record never waits for the disk:
//! one thread writes, and what it could not write is counted and said in the file.
//! It decides nothing and knows no cgroup.
//!
//! [`Record`]: super::Record

mod explanation;
mod file;
mod line;
mod log;
mod outcome;
mod query;
mod read;
mod recent;
mod summary;
mod writer;

pub use explanation::{Explanation, Held};
pub use log::{Audit, Status};
pub use query::{Answer, Query};
pub use summary::summary;
pub(super) use summary::{because, by, told};

#[cfg(test)]
mod tests;
