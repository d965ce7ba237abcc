//! One container in memory: its record, who changes it, who waits for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot, watch};

use super::EngineError;
use super::damaged::require_whole;
use super::model::{ContainerDir, Life, Record, Settings};
use crate::launch::Id;
use crate::launch::shim::{Hello, Line};

/// A container.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) id: Id,
    pub(super) dir: ContainerDir,
    /// Held by the verb that starts, ends or removes it.
    pub(super) verb: Arc<Mutex<()>>,
    record: watch::Sender<Record>,
    /// One change at a time, on disk as in memory.
    writing: Lock<()>,
    /// Clients that came before it started.
    early: Lock<Vec<Early>>,
    /// Restarts under way, whose end is not the end.
    restarts: AtomicUsize,
}

/// A restart under way.
#[derive(Debug)]
pub(super) struct Restarting<'a>(&'a Cell);

impl Drop for Restarting<'_> {
    fn drop(&mut self) {
        self.0.restarts.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A client that waits for the container's start.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) hello: Hello,
    pub(super) line: oneshot::Sender<Line>,
}

impl Cell {
    pub(super) fn new(dir: ContainerDir, settings: Settings, life: Life) -> Self {
        Self {
            id: settings.id.clone(),
            dir,
            verb: Arc::default(),
            record: watch::Sender::new(Record {
                settings: Arc::new(settings),
                life,
                removed: false,
            }),
            writing: Lock::new(()),
            early: Lock::new(Vec::new()),
            restarts: AtomicUsize::new(0),
        }
    }

    /// As it is now.
    pub(super) fn record(&self) -> Record {
        self.record.borrow().clone()
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.record.borrow().settings)
    }

    /// To be told of every change.
    pub(super) fn watch(&self) -> watch::Receiver<Record> {
        self.record.subscribe()
    }

    /// Changes its state. What cannot be written is so in memory all the same: it did happen.
    pub(super) fn live(&self, change: impl FnOnce(&mut Life)) {
        let _one_at_a_time = held(&self.writing);
        let mut record = self.record();
        change(&mut record.life);
        if let Err(error) = self
            .dir
            .write_life(&record.life, record.settings.durability())
        {
            tracing::error!(container = %self.id, %error, "state not recorded");
        }
        self.record.send_replace(record);
    }

    /// Changes its settings, once they are on disk.
    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) -> Result<(), EngineError> {
        let _one_at_a_time = held(&self.writing);
        let mut record = self.record();
        require_whole(&record.settings)?;
        let mut settings = Settings::clone(&record.settings);
        change(&mut settings);
        self.dir
            .write_settings(&settings)
            .map_err(EngineError::record(&self.dir))?;
        record.settings = Arc::new(settings);
        self.record.send_replace(record);
        Ok(())
    }

    /// Tells that it is no more.
    pub(super) fn bury(&self) {
        self.record.send_modify(|record| record.removed = true);
    }

    /// Asked once its verb is held: it may be gone by then.
    pub(super) fn require(&self) -> Result<Record, EngineError> {
        let record = self.record();
        if record.removed {
            return Err(EngineError::NoSuchContainer(self.id.to_string()));
        }
        Ok(record)
    }

    /// Its record; and for one that does not run what keeps it so: its root filesystem is mounted for one only. To be
    /// asked for before a thread is taken: whoever has the verb may wait for one.
    pub(super) async fn at_rest(
        &self,
    ) -> Result<(Record, Option<OwnedMutexGuard<()>>), EngineError> {
        let record = self.require()?;
        if record.life.runs() {
            return Ok((record, None));
        }
        let verb = Arc::clone(&self.verb).lock_owned().await;
        let record = self.require()?;
        let rests = !record.life.runs();
        Ok((record, rests.then_some(verb)))
    }

    /// From here on, until what it returns is dropped, its end does not remove it.
    pub(super) fn begin_restart(&self) -> Restarting<'_> {
        self.restarts.fetch_add(1, Ordering::AcqRel);
        Restarting(self)
    }

    pub(super) fn is_being_restarted(&self) -> bool {
        self.restarts.load(Ordering::Acquire) > 0
    }

    /// Has a client's line opened when it is made, before it runs.
    pub(super) fn attach_early(&self, early: Early) {
        let mut waiting = held(&self.early);
        waiting.retain(|one| !one.line.is_closed());
        waiting.push(early);
    }

    /// Those who came before.
    pub(super) fn take_early(&self) -> Vec<Early> {
        std::mem::take(&mut *held(&self.early))
    }
}

/// Nothing that is guarded so is left half done by a panic.
pub(super) fn held<T>(lock: &Lock<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
