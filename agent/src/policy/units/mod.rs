//! Quantities as people write them, each with its unit: `64MiB`, `100Mbit`, `50ms`, `80%`,
//! `1.5 cores`.
//!
//! In: text of the policy file or of the command line. Out: a typed value, or an error that says
//! what to write. Every `Display` here is read back to the same value.

mod bytes;
mod cpu;
mod percent;
mod quantity;
mod rate;
mod time;

pub use bytes::ByteSize;
pub use cpu::{Cores, CpuLimit};
pub use percent::Percent;
pub use quantity::UnitError;
pub use rate::{BitRate, ByteRate, OperationRate};
pub use time::TimeSpan;
