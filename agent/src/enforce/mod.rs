//! Hands: what policy and operators ask for is done here, and undone.
//!
//! In: [`crate::policy::Order`]s. Out: cgroup files and BPF rules changed, each with a journal
//! entry before and a reading back after; records of all that was done, refused or only decided.
//! What is never to be touched is decided here too, by `guard`, whoever asks.

pub mod audit;
mod claims;
mod enforcer;
mod guard;
pub mod guardian;
mod handle;
mod hands;
mod hold;
mod journal;
pub mod once;
mod record;
mod refusal;
mod status;
mod watch;

#[cfg(test)]
mod fixture;

pub use enforcer::{Parts, Settings, start};
pub use handle::{ClaimView, Ended, Handle, held_of};
pub use record::{Outcome, Record};
pub use status::{GuardianStatus, JournalReading, Status};
