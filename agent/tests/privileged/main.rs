//! Tests that need root: each makes its own cgroups and processes, and asks an oracle that is not
//! our code. What a host cannot do is skipped, with the reason.

mod readings;
mod support;
