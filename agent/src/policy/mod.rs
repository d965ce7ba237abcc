//! Rules: what is to be done, with which workload, when.
//!
//! In: the policy file, snapshots, events, fast readings. Out: [`Order`]s, each with its evidence.
//! Evaluation is pure: it writes nothing and asks nobody; how an order is carried out, and whether
//! it may be, is for `enforce`.

mod order;

pub use order::{
    Amount, Change, Claim, Claimant, Evidence, Limit, Mode, OnConflict, Once, Order, Process,
    Restore, Scope, Step, Wanted,
};
