//! What became of a container: `state.json`.

use std::time::{Duration, SystemTime};

use bollard::models::{Health, HealthStatusEnum};
use serde::{Deserialize, Serialize};

use crate::engine::container::name::{instant, now};
use crate::launch::{Exit, Process};

/// The exit code of which nobody knows.
const UNKNOWN: i64 = 255;
/// `State.Error` of a container whose shim was killed.
const UNSEEN: &str = "the process that held the container was killed";

/// Stations of a container's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::engine::container) enum Phase {
    #[default]
    Created,
    /// Being made a workload of; what comes of it, `launch` knows.
    Starting,
    Running,
    /// Ended, and about to be started again.
    Restarting,
    Exited,
    /// Being removed: whoever finds it goes on with that.
    Removing,
}

/// Its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::engine::container) struct Life {
    pub(in crate::engine::container) phase: Phase,
    pub(in crate::engine::container) paused: bool,
    pub(in crate::engine::container) process: Option<Process>,
    /// RFC 3339.
    pub(in crate::engine::container) started_at: Option<String>,
    /// RFC 3339.
    pub(in crate::engine::container) finished_at: Option<String>,
    pub(in crate::engine::container) exit_code: i64,
    /// How often it ended.
    pub(in crate::engine::container) exits: u64,
    pub(in crate::engine::container) oom_killed: bool,
    /// Why it could not be started.
    pub(in crate::engine::container) error: String,
    /// Starts by its restart policy since somebody started it.
    pub(in crate::engine::container) restart_count: u32,
    /// The last delay before such a start.
    pub(in crate::engine::container) restart_delay_ms: u64,
    /// Somebody stopped it.
    pub(in crate::engine::container) stopped_by_user: bool,
    pub(in crate::engine::container) health: Option<Health>,
}

impl Life {
    /// Of a container whose state did not outlive the host's power.
    pub(in crate::engine::container) fn lost() -> Self {
        Self {
            phase: Phase::Exited,
            exit_code: UNKNOWN,
            exits: 1,
            ..Self::default()
        }
    }

    /// A process of it runs.
    pub(in crate::engine::container) const fn runs(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Docker counts one that waits for its next start as running.
    pub(in crate::engine::container) const fn is_active(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting | Phase::Running | Phase::Restarting
        )
    }

    /// How long it ran, now or the last time.
    pub(in crate::engine::container) fn ran_for(&self) -> Duration {
        let at = |text: &Option<String>| text.as_deref().and_then(|text| instant(text).ok());
        let end = if self.runs() {
            Some(SystemTime::now())
        } else {
            at(&self.finished_at)
        };
        let ran = at(&self.started_at)
            .zip(end)
            .map(|(from, to)| to.duration_since(from));
        ran.and_then(Result::ok).unwrap_or_default()
    }

    /// It runs since now.
    pub(in crate::engine::container) fn start(&mut self, process: Process) {
        self.phase = Phase::Running;
        self.paused = false;
        self.process = Some(process);
        self.started_at = Some(now());
        self.exit_code = 0;
        self.oom_killed = false;
        self.error.clear();
    }

    /// It has ended.
    pub(in crate::engine::container) fn end(&mut self, exit: &Exit) {
        self.rest(i64::from(exit.code), exit.at.clone());
        self.oom_killed = exit.oom_killed;
        if exit.unseen {
            UNSEEN.clone_into(&mut self.error);
        }
    }

    /// It could not be started: one that never ran stays as it was made.
    pub(in crate::engine::container) fn fail(&mut self, exit_code: i64, error: String) {
        if self.started_at.is_some() {
            self.rest(exit_code, now());
        } else {
            self.phase = Phase::Created;
            self.exit_code = exit_code;
            self.exits += 1;
        }
        self.error = error;
    }

    /// Nobody saw it end: the host went down.
    pub(in crate::engine::container) fn vanish(&mut self) {
        self.rest(UNKNOWN, now());
    }

    fn rest(&mut self, exit_code: i64, at: String) {
        self.phase = Phase::Exited;
        self.paused = false;
        self.process = None;
        self.exit_code = exit_code;
        self.finished_at = Some(at);
        self.exits += 1;
        // Docker's word for one that is not checked any more.
        if let Some(health) = &mut self.health {
            health.status = Some(HealthStatusEnum::UNHEALTHY);
        }
    }
}
