//! Ending a container: stop, restart, kill.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::EngineError;
use super::cell::Cell;
use super::handle::Engine;
use super::model::{Phase, Record};
use crate::launch::{Container, LaunchError, Signal, Status, signal_of_name};

/// What a killed process may take to be gone: it writes back, or waits for a network file system.
const KILLED: Duration = Duration::from_secs(30);

impl Engine {
    /// Asks a container to end, and kills it if it does not in time. `timeout` in seconds; negative:
    /// waits for ever.
    ///
    /// # Errors
    /// It does not run, or the signal is none.
    pub async fn stop(
        &self,
        wanted: &str,
        signal: Option<String>,
        timeout: Option<i64>,
    ) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        self.stop_cell(&cell, signal.as_deref(), timeout).await
    }

    /// Stops a container, if it runs, and starts it; one with `--rm`, too.
    ///
    /// # Errors
    /// It does not end, or it cannot be started.
    pub async fn restart(
        &self,
        wanted: &str,
        signal: Option<String>,
        timeout: Option<i64>,
    ) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let _restarting = cell.begin_restart();
        match self.stop_cell(&cell, signal.as_deref(), timeout).await {
            Ok(()) | Err(EngineError::AlreadyStopped(_)) => {}
            Err(error) => return Err(error),
        }
        self.start(cell.id.as_str()).await?;
        self.shared.events.container(&cell, "restart", &[]);
        Ok(())
    }

    /// Sends a signal, `KILL` unless another is given; returns when one that is killed has ended.
    ///
    /// # Errors
    /// It does not run, or the signal is none.
    pub async fn kill(&self, wanted: &str, signal: Option<&str>) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let signal = parse(signal)?.unwrap_or(Signal::KILL);
        let record = cell.record();
        if !record.life.is_active() {
            return Err(EngineError::NotRunning(cell.id.clone()));
        }
        let ends = record.settings.is_to_end_by(signal);
        if record.life.phase == Phase::Restarting {
            if !(ends && self.give_up_restarting(&cell).await) {
                return Err(EngineError::NotRunning(cell.id.clone()));
            }
            return Ok(());
        }
        // A start that is under way is waited for.
        let verb = cell.verb.lock().await;
        let mut watch = cell.watch();
        let life = cell.require()?.life;
        if !life.is_active() {
            return Err(EngineError::NotRunning(cell.id.clone()));
        }
        if ends {
            cell.live(|life| life.stopped_by_user = true);
        }
        if !self.signal(&cell, signal).await? {
            return Err(EngineError::NotRunning(cell.id.clone()));
        }
        if signal == Signal::KILL {
            drop(verb);
            see_killed(&cell, &mut watch, life.exits).await?;
            // Whoever sees to its end clears it away first.
            drop(cell.verb.lock().await);
        } else if ends && life.paused {
            // The signal waits for that.
            self.thaw(&cell).await?;
        }
        Ok(())
    }

    pub(super) async fn stop_cell(
        &self,
        cell: &Arc<Cell>,
        signal: Option<&str>,
        timeout: Option<i64>,
    ) -> Result<(), EngineError> {
        let signal = parse(signal)?;
        let mut watch = cell.watch();
        let record = {
            let _verb = cell.verb.lock().await;
            let record = cell.require()?;
            match record.life.phase {
                Phase::Created | Phase::Exited | Phase::Removing => {
                    return Err(EngineError::AlreadyStopped(cell.id.clone()));
                }
                Phase::Starting | Phase::Restarting | Phase::Running => {}
            }
            cell.live(|life| life.stopped_by_user = true);
            if record.life.phase == Phase::Restarting {
                cell.live(|life| life.phase = Phase::Exited);
                self.shared.events.container(cell, "stop", &[]);
                return Ok(());
            }
            let signal = signal.unwrap_or_else(|| record.settings.stop_signal());
            self.signal(cell, signal).await?;
            self.wake(cell).await?;
            record
        };
        let patience = self.stop_patience(&record, timeout);
        let ended = watch.wait_for(|now| now.life.exits > record.life.exits);
        let in_time = match patience {
            Some(patience) => tokio::time::timeout(patience, ended).await.is_ok(),
            None => ended.await.is_ok(),
        };
        if !in_time {
            self.signal(cell, Signal::KILL).await?;
            see_killed(cell, &mut watch, record.life.exits).await?;
        }
        // Whoever sees to its end tells that first.
        drop(cell.verb.lock().await);
        self.shared.events.container(cell, "stop", &[]);
        Ok(())
    }

    /// Takes one that waits for its next start out of that; `false`: it is running by now.
    async fn give_up_restarting(&self, cell: &Arc<Cell>) -> bool {
        let _verb = cell.verb.lock().await;
        if cell.record().life.phase != Phase::Restarting {
            return false;
        }
        cell.live(|life| {
            life.stopped_by_user = true;
            life.phase = Phase::Exited;
        });
        true
    }

    fn stop_patience(&self, record: &Record, timeout: Option<i64>) -> Option<Duration> {
        let seconds = timeout.or(record.settings.body.stop_timeout);
        match seconds {
            None => Some(self.shared.config.stop_timeout),
            // Negative: for ever.
            Some(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
        }
    }

    /// Sends a signal to its first process, and tells; `false`: there is none.
    pub(super) async fn signal(
        &self,
        cell: &Arc<Cell>,
        signal: Signal,
    ) -> Result<bool, EngineError> {
        let cell = Arc::clone(cell);
        let sent = self.blocking(move |shared| {
            let container = Container::open(&shared.workloads(), &cell.id)?;
            if container.status() == Status::Stopped {
                return Ok(false);
            }
            // Before the end that may come of it.
            let number = signal.as_raw().to_string();
            shared
                .events
                .container(&cell, "kill", &[("signal", number)]);
            match container.kill(signal, false) {
                Ok(()) => Ok(true),
                Err(LaunchError::NotRunning) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        sent.await
    }
}

/// Waits until one that was killed has ended once more.
pub(super) async fn see_killed(
    cell: &Cell,
    watch: &mut Receiver<Record>,
    exits: u64,
) -> Result<(), EngineError> {
    let ended = watch.wait_for(|now| now.life.exits > exits);
    match tokio::time::timeout(KILLED, ended).await {
        Ok(_) => Ok(()),
        Err(_) => {
            let text = format!("container {} does not end, although killed", cell.id);
            Err(EngineError::Runtime(text))
        }
    }
}

fn parse(signal: Option<&str>) -> Result<Option<Signal>, EngineError> {
    let given = signal.filter(|text| !text.is_empty());
    given
        .map(|text| {
            signal_of_name(text)
                .ok_or_else(|| EngineError::Invalid(format!("invalid signal: {text}")))
        })
        .transpose()
}
