//! What the BPF programs and the agent agree on: ring-buffer records, map keys and values,
//! map sizes, and the names of the globals that carry kernel struct offsets.
//!
//! Every type is `repr(C)`, of fixed-width integers, without implicit padding; each size is
//! asserted beside the type. A change here changes both sides and the prebuilt object.
#![no_std]

pub mod event;
pub mod layout;
pub mod map;
pub mod namespace;
pub mod rules;
