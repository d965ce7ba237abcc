//! Why a rule cannot be held.

use std::io;
use std::path::PathBuf;

use super::rule::InvalidRule;

/// Nothing was set, or nothing could be cleared.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not under cgroup2, as a workload on a v1 host that has no v2 cgroup of its own.
    #[error("{path} is no cgroup of cgroup2")]
    NotCgroup2 { path: PathBuf },
    /// The directory is gone, or another of the same name has come.
    #[error("cgroup {path} is gone")]
    Vanished { path: PathBuf },
    #[error("cannot open cgroup {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Invalid(#[from] InvalidRule),
    #[error("{rule} cannot be held")]
    Hold {
        rule: &'static str,
        source: HoldError,
    },
    #[error("{rule} cannot be cleared")]
    Clear {
        rule: &'static str,
        source: HoldError,
    },
}

/// What went wrong with one part.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("the BPF object cannot be loaded: {0}")]
    Object(String),
    #[error("this kernel does not take the program {program}: {reason}")]
    Program {
        program: &'static str,
        reason: String,
    },
    #[error("the program {program} cannot be attached")]
    Attach {
        program: &'static str,
        source: io::Error,
    },
    /// Somebody attached one that bears no other beside or below it.
    #[error("another program on this cgroup or one above it allows none beside it")]
    Exclusive,
    #[error("the program {program} cannot be detached")]
    Detach {
        program: &'static str,
        source: io::Error,
    },
    #[error("map {name}: {reason}")]
    Map { name: &'static str, reason: String },
    #[error("the sockets that exist cannot be walked: {0}")]
    Sockets(String),
    #[error("the interface's queue: {0}")]
    Queue(String),
}
