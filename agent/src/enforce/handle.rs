//! Enforcement as others hold it.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::audit::{self, Audit};
use super::{Record, Status};
use crate::cgroup::{Placement, Setting};
use crate::policy::{Claimant, Mode, OnConflict, Order, Protect, Restore};

/// Asks the enforcer, which does one thing at a time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) audit: Audit,
}

/// The enforcer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("enforcement has ended")]
pub struct Ended;

/// A claim, as people are told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimView {
    /// The workload's id: its cgroup path.
    pub workload: Arc<str>,
    pub name: Arc<str>,
    /// The kernel's name of what is held: `memory.max`, `io.max 8:0`; `net`, `devices`.
    pub what: String,
    pub claimant: Claimant,
    /// What is claimed, in the kernel's words: `memory.max 536870912`.
    pub value: String,
    /// Is it this claim that is in force? Others stand behind it.
    pub in_force: bool,
    /// The kernel is still taking it.
    pub under_way: bool,
    /// Before any claim.
    pub original: String,
    #[serde(with = "humantime_serde")]
    pub since: SystemTime,
    #[serde(with = "humantime_serde")]
    pub until: Option<SystemTime>,
    /// Number of the action that made it.
    pub action: u64,
    pub on_conflict: OnConflict,
    pub restore: Restore,
}

/// What the enforcer is asked.
pub(super) enum Command {
    Order(Box<Order>, oneshot::Sender<Vec<Arc<Record>>>),
    Undo(u64, oneshot::Sender<Arc<Record>>),
    Thaw(Arc<str>, oneshot::Sender<Vec<Arc<Record>>>),
    Limits(Box<Placement>, oneshot::Sender<Vec<Setting>>),
    Claims(oneshot::Sender<Vec<ClaimView>>),
    ReleasePolicy(Arc<str>, oneshot::Sender<Vec<Arc<Record>>>),
    KeepPolicies(Vec<Arc<str>>, oneshot::Sender<Vec<Arc<Record>>>),
    Protect(Box<Protect>),
    Mode(Mode),
    Shutdown(oneshot::Sender<()>),
}

impl Handle {
    /// Carries out one order, and tells what became of it: a record for each thing it was about, at
    /// least one. What takes longer is [`Outcome::Deferred`](super::Outcome::Deferred) here, and has
    /// a second record of the same number when it is there; kills and the like are waited for.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn order(&self, order: Order) -> Result<Vec<Arc<Record>>, Ended> {
        self.ask(|reply| Command::Order(Box::new(order), reply))
            .await
    }

    /// Lets go of what the action with this number holds.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn undo(&self, action: u64) -> Result<Arc<Record>, Ended> {
        self.ask(|reply| Command::Undo(action, reply)).await
    }

    /// Lets go of whatever froze the workload with this id; no record: nothing of ours did.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn thaw(&self, workload: Arc<str>) -> Result<Vec<Arc<Record>>, Ended> {
        self.ask(|reply| Command::Thaw(workload, reply)).await
    }

    /// Every limit that the kernel has in force on a workload, whoever set it. Of files: network and
    /// device rules are not among them.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn limits(&self, placement: Placement) -> Result<Vec<Setting>, Ended> {
        self.ask(|reply| Command::Limits(Box::new(placement), reply))
            .await
    }

    /// Every claim there is, by workload and thing; the one in force before those behind it.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn claims(&self) -> Result<Vec<ClaimView>, Ended> {
        self.ask(Command::Claims).await
    }

    /// Lets go of all that a policy holds, its rules too: it was disabled, changed or set to monitor.
    /// What is restored never stays as it is.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn release_policy(&self, name: Arc<str>) -> Result<Vec<Arc<Record>>, Ended> {
        self.ask(|reply| Command::ReleasePolicy(name, reply)).await
    }

    /// Lets go of all that other policies than these hold: those that an earlier agent had.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn keep_policies(&self, names: Vec<Arc<str>>) -> Result<Vec<Arc<Record>>, Ended> {
        self.ask(|reply| Command::KeepPolicies(names, reply)).await
    }

    /// From now on this is protected, and so much may be done. What was done before counts.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn set_protect(&self, protect: Protect) -> Result<(), Ended> {
        self.tell(Command::Protect(Box::new(protect))).await
    }

    /// `Monitor`: no order is carried out any more, whoever gives it; what is held stays until it is
    /// let go.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub async fn set_mode(&self, mode: Mode) -> Result<(), Ended> {
        self.tell(Command::Mode(mode)).await
    }

    /// Gives back all that does not stay, and ends. Returns when that is done, within a second.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Shutdown(reply)).await.is_ok() {
            // An error says that it has ended, which is what was asked for.
            let _ = done.await;
        }
    }

    /// How it does; changes with every action.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// What was done: [`Audit::query`].
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Ended)
    }

    async fn tell(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).await.map_err(|_| Ended)
    }
}

/// What is in force on one workload, for `plimsoll why`.
#[must_use]
pub fn held_of(workload: &str, claims: &[ClaimView]) -> Vec<audit::Held> {
    let of_it = || claims.iter().filter(|claim| &*claim.workload == workload);
    let in_force = of_it().filter(|claim| claim.in_force);
    let held = in_force.map(|claim| audit::Held {
        what: claim.value.clone(),
        original: Some(claim.original.clone()),
        claimant: claim.claimant.clone(),
        since: claim.since,
        until: claim.until,
        action: claim.action,
        evidence: None,
        caveats: Vec::new(),
        behind: of_it()
            .filter(|other| other.what == claim.what && !other.in_force)
            .map(|other| other.claimant.clone())
            .collect(),
    });
    held.collect()
}
