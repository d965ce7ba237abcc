//! What others may ask of the engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::status::Status;
use crate::policy::evaluate::{Explanation, NoSuchPolicy, Tally};
use crate::policy::history::{Decision, Recording};
use crate::policy::order::Mode;
use crate::policy::set::PolicySet;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    #[error("policies are not evaluated: the engine has ended")]
    Ended,
    #[error(transparent)]
    NoSuchPolicy(#[from] NoSuchPolicy),
}

/// Asks the engine; clones ask the same.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Status>>,
}

/// A question, and where the answer goes.
#[derive(Debug)]
pub(super) enum Command {
    Reload {
        set: Arc<PolicySet>,
        done: oneshot::Sender<()>,
    },
    Mode {
        /// `None`: all.
        policy: Option<String>,
        mode: Mode,
        done: oneshot::Sender<Result<(), NoSuchPolicy>>,
    },
    Enable {
        policy: String,
        on: bool,
        done: oneshot::Sender<Result<(), NoSuchPolicy>>,
    },
    Explain {
        workload: String,
        answer: oneshot::Sender<Option<Explanation>>,
    },
    Show {
        answer: oneshot::Sender<(PolicySet, Tally)>,
    },
    Record {
        answer: oneshot::Sender<(Recording, Arc<PolicySet>)>,
    },
}

impl Handle {
    pub(super) const fn new(
        commands: mpsc::Sender<Command>,
        status: watch::Receiver<Arc<Status>>,
    ) -> Self {
        Self { commands, status }
    }

    /// Puts a new file in force: what did not change goes on undisturbed.
    ///
    /// # Errors
    /// The engine has ended; so for all of them.
    pub async fn reload(&self, set: Arc<PolicySet>) -> Result<(), HandleError> {
        self.ask(|done| Command::Reload { set, done }).await
    }

    /// Switches one policy, or all, between deciding and doing, until the file says otherwise.
    ///
    /// # Errors
    /// There is no such policy.
    pub async fn mode(&self, policy: Option<String>, mode: Mode) -> Result<(), HandleError> {
        let switched = self.ask(|done| Command::Mode { policy, mode, done });
        Ok(switched.await??)
    }

    /// Switches a policy on or off, until the file says otherwise.
    ///
    /// # Errors
    /// There is no such policy.
    pub async fn enable(&self, policy: String, on: bool) -> Result<(), HandleError> {
        let switched = self.ask(|done| Command::Enable { policy, on, done });
        Ok(switched.await??)
    }

    /// What policies make of a workload, by its id; `None`: there is none of that id.
    ///
    /// # Errors
    /// See [`HandleError`].
    pub async fn explain(&self, workload: String) -> Result<Option<Explanation>, HandleError> {
        self.ask(|answer| Command::Explain { workload, answer })
            .await
    }

    /// The policies with what was switched since the file was read, and how they stand.
    ///
    /// # Errors
    /// See [`HandleError`].
    pub async fn show(&self) -> Result<(PolicySet, Tally), HandleError> {
        self.ask(|answer| Command::Show { answer }).await
    }

    /// What a set of policies, or that in force, would have decided in the last `since`, from nothing
    /// under way. Decided on a thread of its own: the engine goes on.
    ///
    /// # Errors
    /// See [`HandleError`].
    pub async fn replay(
        &self,
        since: Duration,
        set: Option<Arc<PolicySet>>,
    ) -> Result<Vec<Decision>, HandleError> {
        let (recording, in_force) = self.ask(|answer| Command::Record { answer }).await?;
        let set = set.unwrap_or(in_force);
        tokio::task::spawn_blocking(move || recording.replay(since, set))
            .await
            .map_err(|_| HandleError::Ended)
    }

    /// How the engine is doing, as it goes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, HandleError> {
        let (sender, answer) = oneshot::channel();
        let sent = self.commands.send(command(sender)).await;
        sent.map_err(|_| HandleError::Ended)?;
        answer.await.map_err(|_| HandleError::Ended)
    }
}
