//! From a record to a running workload.

use std::sync::Arc;
use std::time::Instant;

use super::EngineError;
use super::cell::Cell;
use super::handle::{Engine, Shared, Workload};
use super::model::{Phase, Record};
use super::supervise::Hold;
use crate::launch::shim::{CreateRequest, Held, Line, PrepareRequest, ShimError, Spare};
use crate::launch::{Fate, Signal, settle_one};

impl Engine {
    /// Starts a container.
    ///
    /// # Errors
    /// It runs, or it cannot be made.
    pub async fn start(&self, wanted: &str) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let _verb = cell.verb.lock().await;
        let life = cell.require()?.life;
        match life.phase {
            Phase::Running if life.paused => return Err(EngineError::StartPaused),
            Phase::Starting | Phase::Running | Phase::Restarting => {
                return Err(EngineError::AlreadyStarted(cell.id.clone()));
            }
            Phase::Removing => return Err(EngineError::MarkedForRemoval),
            Phase::Created | Phase::Exited => {}
        }
        self.bring_up(&cell, true).await
    }

    /// Starts one whose verb is held; `by_user`: not by its restart policy.
    pub(super) async fn bring_up(
        &self,
        cell: &Arc<Cell>,
        by_user: bool,
    ) -> Result<(), EngineError> {
        let own = Arc::clone(cell);
        let (begin, counters) = (Instant::now(), &self.shared.counters);
        let started = self
            .blocking(move |shared| shared.launch(&own, by_user))
            .await;
        match started {
            Ok(held) => {
                counters.started(begin.elapsed());
                counters.policy_restarts.add(u64::from(!by_user));
                self.shared.events.volumes(cell, "mount");
                self.shared.events.container(cell, "start", &[]);
                self.supervise(Arc::clone(cell), Hold::Shim(held));
                Ok(())
            }
            Err(error) => {
                counters.failed_starts.add(1);
                let code = error.exit_code().to_string();
                self.shared
                    .events
                    .container(cell, "die", &[("exitCode", code)]);
                if cell.settings().is_removed_at_exit() {
                    self.remove_ended(cell).await;
                }
                Err(error)
            }
        }
    }
}

impl Shared {
    /// Makes the workload and lets it run. Blocks.
    fn launch(&self, cell: &Cell, by_user: bool) -> Result<Held, EngineError> {
        let record = cell.record();
        cell.live(|life| {
            life.phase = Phase::Starting;
            if by_user {
                life.stopped_by_user = false;
                life.restart_count = 0;
                life.restart_delay_ms = 0;
            }
        });
        let launched = self.prepare_and_make(cell, &record);
        launched.inspect_err(|error| {
            // Those who came early hear the end of it.
            drop(cell.take_early());
            self.settle(&cell.id);
            self.parts.release(&record.settings);
            let text = error.with_causes();
            cell.live(|life| life.fail(error.exit_code(), text));
        })
    }

    fn prepare_and_make(&self, cell: &Cell, record: &Record) -> Result<Held, EngineError> {
        let settings = &record.settings;
        // It makes the cgroups while everything else is got ready.
        let spare = self.spare()?;
        let prepared = spare.prepare(PrepareRequest {
            id: cell.id.clone(),
            root: self.workloads(),
            cgroup: settings.cgroup.clone(),
        });
        // Somebody killed it: found out, and made up for, when the workload is to be made.
        drop(prepared);
        let pins = match self.parts.prepare(self, settings, &cell.dir) {
            Ok(pins) => pins,
            Err(error) => {
                if let Err(error) = spare.dismiss() {
                    tracing::debug!(container = %cell.id, %error, "shim not reaped");
                }
                self.settle(&cell.id);
                return Err(error);
            }
        };
        let request = CreateRequest {
            id: cell.id.clone(),
            root: self.workloads(),
            bundle: cell.dir.bundle().to_owned(),
            stdio: settings.stdio(cell.dir.log()),
            no_pivot: self.no_pivot,
        };
        let mut held = self.make(spare, &request)?;
        drop(pins);
        match self.let_run(cell, record, &mut held) {
            Ok(()) => Ok(held),
            Err(error) => {
                self.undo(&cell.id, held);
                Err(error)
            }
        }
    }

    /// Has a shim make it; once more with another, if somebody killed the shim.
    fn make(&self, spare: Spare, request: &CreateRequest) -> Result<Held, EngineError> {
        match self.have_made(spare, request) {
            Err(ShimError::Gone | ShimError::Link(_)) => {}
            made => return made.map_err(|error| EngineError::shim(&error)),
        }
        match settle_one(&request.root, &request.id)? {
            Fate::Undone => {}
            _ => return Err(EngineError::shim(&ShimError::Gone)),
        }
        let made = self.have_made(self.spare()?, request);
        made.map_err(|error| EngineError::shim(&error))
    }

    fn have_made(&self, spare: Spare, request: &CreateRequest) -> Result<Held, ShimError> {
        // The zygote's work is in nobody's way while the workload is made.
        self.spares.replenish();
        spare.create(request.clone(), None)
    }

    fn spare(&self) -> Result<Spare, EngineError> {
        let spare = self.spares.take();
        spare.map_err(|error| EngineError::shim(&error))
    }

    /// What is to be done while it waits to be started, and the start.
    fn let_run(&self, cell: &Cell, record: &Record, held: &mut Held) -> Result<(), EngineError> {
        for warning in &held.made.warnings {
            tracing::warn!(container = %cell.id, %warning, "not as asked for");
        }
        let process = held.made.process;
        self.parts
            .connect(&record.settings, &cell.dir, process.pid)?;
        (self.on_made)(&Workload::of(cell), &held.made).map_err(EngineError::NotHeld)?;
        let state = self.workloads().join(cell.id.as_str());
        let mut called = Vec::new();
        for early in cell.take_early() {
            let call = Line::call(&state, &early.hello);
            let call = call.map_err(EngineError::io("attach to the shim in", &state))?;
            called.push((call, early.line));
        }
        held.start().map_err(|error| EngineError::shim(&error))?;
        cell.live(|life| life.start(process));
        for (call, client) in called {
            match call.answered() {
                // It may have gone meanwhile.
                Ok(line) => drop(client.send(line)),
                Err(error) => tracing::warn!(container = %cell.id, %error, "client not attached"),
            }
        }
        Ok(())
    }

    /// Ends one that was made and is not to run, whoever was killed meanwhile.
    fn undo(&self, id: &crate::launch::Id, mut held: Held) {
        // It may have ended by itself.
        let _ = held.made.process.signal(Signal::KILL);
        if let Err(error) = held.wait().map(drop) {
            tracing::debug!(container = %id, %error, "not seen to end");
        }
        if let Err(error) = held.reap() {
            tracing::debug!(container = %id, %error, "shim not reaped");
        }
        self.settle(id);
    }

    /// Removes what a shim may have left that was killed.
    fn settle(&self, id: &crate::launch::Id) {
        if let Err(error) = settle_one(&self.workloads(), id) {
            let error = error.with_causes();
            tracing::warn!(container = %id, error, "left over until it is started again or removed");
        }
    }
}
