//! What enforcement needs of a kernel: read a thing, write a thing. Tests have a kernel of their own.

mod kernel;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use super::claims::{Owner, Slot, Thing, Value};
use crate::cgroup::{Placement, Setting};

pub(crate) use kernel::{Kernel, in_one_line};

/// The kernel's side of enforcement.
pub(crate) trait Hands {
    /// The workload, pinned to the cgroups that it has now.
    fn owner(&mut self, id: &Arc<str>, name: &Arc<str>, placement: &Placement) -> Owner;

    /// Which of its cgroups carries the thing.
    ///
    /// # Errors
    /// None does, and why.
    fn slot(&mut self, owner: &Owner, thing: Thing) -> Result<Slot, HandError>;

    /// What is in force now. Reading again gives an equal value until somebody writes.
    ///
    /// # Errors
    /// Gone, or not readable.
    fn read(&mut self, owner: &Owner, thing: Thing) -> Result<Value, HandError>;

    /// What else writing this would change, as it is now.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn asides(&mut self, owner: &Owner, value: &Value) -> Result<Vec<Value>, HandError>;

    /// Why the kernel would kill for this, together with what is in force and what is `coming`;
    /// `None`: it would not.
    fn hazard(&mut self, owner: &Owner, setting: &Setting, coming: &[Setting]) -> Option<String>;

    /// What it does here less than its name promises, as last written.
    fn caveats(&mut self, owner: &Owner, thing: Thing) -> Vec<String>;

    /// Sets it, by what is there now.
    ///
    /// # Errors
    /// It is not in force.
    fn write(
        &mut self,
        owner: &Owner,
        value: &Value,
        from: From<'_>,
    ) -> Result<Progress, HandError>;

    /// The files that somebody else would write to change it.
    fn files(&mut self, owner: &Owner, thing: Thing) -> Vec<PathBuf>;

    /// To be called a few times a second while traffic is held.
    fn tend(&mut self) {}
}

/// What a write starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    pub(crate) in_force: &'a Value,
}

/// How far a write is.
pub(crate) enum Progress {
    /// In force, as read back.
    Done(Value),
    /// The kernel needs time.
    UnderWay { walk: Box<dyn Walk>, reason: String },
}

/// A write that takes time.
pub(crate) trait Walk: Send {
    /// Looks how far it is, and does what can be done without waiting; `None`: not there yet.
    ///
    /// # Errors
    /// It has ended, and not in force.
    fn step(&mut self) -> Result<Option<Value>, HandError>;

    /// Does dropping it leave everything as it was? Otherwise its end must be waited for.
    fn can_be_dropped(&self) -> bool;
}

/// Why the kernel's side could not do it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum HandError {
    /// The cgroup was removed.
    #[error("the cgroup is gone")]
    Gone,
    /// This host or cgroup cannot do it.
    #[error("{0}")]
    NotEnforceable(String),
    /// The kernel would do harm with it, or refuse it.
    #[error("{0}")]
    Refused(String),
    /// Somebody else wrote at the same time.
    #[error("somebody else set {0} meanwhile")]
    Foreign(Box<Value>),
    #[error("{0}")]
    Failed(String),
}
