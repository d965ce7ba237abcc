//! The whole agent holds workloads: what an operator and a policy file ask for is in the kernel, and
//! is given back.

mod cell;
mod examples;
mod guardian;
mod holder;
mod kills;
mod monitor;
mod operator;
mod policy;
mod pressure;
mod reaction;
mod scenarios;

use cell::Cell;
