//! A container as it is recorded: what was asked for, and what became of it.

mod dir;
mod life;
mod settings;

pub(super) use dir::{ContainerDir, Durability, write};
pub(super) use life::{Life, Phase};
pub(super) use settings::{LogOptions, Restart, Settings};

use std::sync::Arc;

/// Both halves.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) settings: Arc<Settings>,
    pub(super) life: Life,
    /// It is no more.
    pub(super) removed: bool,
}
