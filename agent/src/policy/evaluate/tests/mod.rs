//! The evaluator as a whole, by its orders.
#![allow(clippy::unwrap_used, clippy::panic)]

mod conditions;
mod ladder;
mod limits;
mod moving;
mod property;
mod switching;
pub(in crate::policy) mod world;
