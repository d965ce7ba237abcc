//! An agent's start: what became of everything meanwhile, who is alive, what is left over.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::EngineError;
use super::cell::Cell;
use super::handle::{Engine, EngineParts, Shared};
use super::model::{ContainerDir, Life, Phase};
use super::parts::joins;
use super::restart;
use super::supervise::{Clearing, Hold};
use crate::engine::network::dns;
use crate::launch::shim::{Hello, Line};
use crate::launch::{
    Cgroups, Container, Exit, Fate, Id, LaunchError, Process, Signal, StateDir, settle, settle_one,
};

/// What a killed process may take to be gone, and what is started to run.
const PATIENCE: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(2);
/// How long the id of a container is.
const DIGITS: usize = 64;

/// What is to be done with a container now.
enum Next {
    Watch(Hold),
    /// It ended while nobody looked.
    Ended(Exit),
    Start,
    /// It ended, and was `--rm`.
    Remove,
    Rest,
}

impl Engine {
    /// Starts the engine: takes over what earlier agents left.
    ///
    /// # Errors
    /// Its directories cannot be used, or another agent uses them. What fails for one container is
    /// logged.
    pub async fn open(parts: EngineParts) -> Result<Self, EngineError> {
        let opened = tokio::task::spawn_blocking(move || {
            let shared = Shared::new(parts)?;
            let next = shared.take_over()?;
            // Where nothing was ever launched nothing is got ready.
            if !shared.registry.all().is_empty() {
                shared.spares.prepare();
            }
            Ok::<_, EngineError>((shared, next))
        });
        let (shared, next) = opened.await.map_err(|_| EngineError::ShuttingDown)??;
        let engine = Self {
            shared: Arc::new(shared),
        };
        engine.serve_names();
        // All of them, before one looks whether another is yet to come.
        for (cell, _) in next.iter().filter(|(_, next)| matches!(next, Next::Start)) {
            cell.live(|life| life.phase = Phase::Restarting);
        }
        for (cell, next) in next {
            engine.resume(cell, next);
        }
        Ok(engine)
    }

    /// Answers containers that ask for each other's names.
    fn serve_names(&self) {
        let names = self.shared.parts.networks.names();
        let token = self.shared.token.clone();
        self.shared
            .tasks
            .spawn(dns::serve(names, dns::host_resolvers(), token));
    }

    fn resume(&self, cell: Arc<Cell>, next: Next) {
        let engine = self.clone();
        match next {
            Next::Rest => {}
            Next::Watch(hold) => self.supervise(cell, hold),
            Next::Ended(exit) => {
                self.shared
                    .tasks
                    .spawn(async move { engine.ended(&cell, exit, Clearing::Done).await });
            }
            Next::Start => {
                self.shared.tasks.spawn(async move {
                    engine.joined_ones_started(&cell).await;
                    engine.restart_after(&cell, Duration::ZERO).await;
                });
            }
            Next::Remove => {
                self.shared.tasks.spawn(async move {
                    let _verb = cell.verb.lock().await;
                    engine.remove_ended(&cell).await;
                });
            }
        }
    }
}

impl Engine {
    /// Waits until those whose namespaces it joins have been started, or will not be.
    async fn joined_ones_started(&self, cell: &Cell) {
        let started = async {
            for name in joins(&cell.settings()) {
                let Ok(other) = self.cell(&name) else {
                    continue;
                };
                let is_to_come = |phase| matches!(phase, Phase::Starting | Phase::Restarting);
                // It is here as long as `other` is.
                let _ = other
                    .watch()
                    .wait_for(|now| !is_to_come(now.life.phase))
                    .await;
            }
        };
        tokio::select! {
            () = self.shared.token.cancelled() => {}
            // Two that join each other wait in vain.
            _ = tokio::time::timeout(PATIENCE, started) => {}
        }
    }
}

impl Shared {
    /// Blocks.
    fn take_over(&self) -> Result<Vec<(Arc<Cell>, Next)>, EngineError> {
        let workloads = self.workloads();
        let unread = EngineError::io("read", &workloads);
        for path in StateDir::set_damaged_aside(&workloads).map_err(unread)? {
            tracing::error!(path = %path.display(), "state not understood; set aside, and what it was of is ended");
        }
        self.parent.require()?;
        self.end_idle_shims()?;
        let unread = EngineError::io("read", &workloads);
        let settled = settle(&workloads).map_err(unread)?;
        let mut fates: HashMap<Id, Result<Fate, LaunchError>> = settled.into_iter().collect();
        let containers = self.containers();
        let ids = ContainerDir::all(&containers).map_err(EngineError::io("read", &containers))?;
        let mut taken = Vec::new();
        for id in ids {
            let dir = self.dir(&id);
            let settings = match dir.settings() {
                Ok(mut settings) => {
                    // Earlier agents kept what clients called them.
                    self.parts.name_kept_networks(&mut settings.body);
                    settings
                }
                Err(error) => {
                    tracing::error!(container = %id, %error, "record not understood; left as it is");
                    self.stand_in(&dir, &id, &error)
                }
            };
            let life = dir.life(settings.durability()).unwrap_or_else(|error| {
                tracing::error!(container = %id, %error, "state not understood; it is taken for ended");
                Life::lost()
            });
            if let Err(error) = self.registry.reserve(Some(&settings.name), &id) {
                tracing::error!(container = %id, %error, "its name is another's");
            }
            let cell = Arc::new(Cell::new(dir, settings, life));
            self.registry.add(Arc::clone(&cell));
            let next = self.next(&cell, fates.remove(&id));
            taken.push((cell, next));
        }
        for (id, _) in fates {
            // Of a container that was removed, or whose creation was not finished.
            if let Err(error) = self.end_unknown(&id) {
                tracing::error!(container = %id, error = error.with_causes(), "leftover not removed");
            }
        }
        self.remove_leftovers(&taken);
        Ok(taken)
    }

    fn next(&self, cell: &Arc<Cell>, fate: Option<Result<Fate, LaunchError>>) -> Next {
        let life = cell.record().life;
        match life.phase {
            Phase::Removing => return Next::Remove,
            Phase::Starting | Phase::Running => {}
            Phase::Created | Phase::Restarting | Phase::Exited => {
                // Its start may not have got into the record: the disk was full.
                if !self.runs(&cell.id, fate.as_ref()) {
                    return self.next_of_ended(cell);
                }
            }
        }
        let fate = match fate {
            None => {
                // Its state is lost; what it was of may be alive.
                if let Err(error) = end_cgroup(&cell.settings().cgroup) {
                    tracing::error!(container = %cell.id, error = error.with_causes(), "not ended");
                }
                Fate::Undone
            }
            Some(Ok(fate)) => fate,
            Some(Err(error)) => {
                tracing::error!(container = %cell.id, error = error.with_causes(), "not settled");
                Fate::Undone
            }
        };
        match fate {
            Fate::Held(state) if state.phase >= crate::launch::Phase::Running => {
                let path = self.workloads().join(cell.id.as_str());
                adopted(cell, state.init);
                match Line::open(&path, &Hello::default()) {
                    Ok(line) => Next::Watch(Hold::Line(line)),
                    // Its shim is ending, or its log holds it up.
                    Err(_) => state
                        .shim
                        .map_or(Next::Rest, |shim| Next::Watch(Hold::Alone(shim))),
                }
            }
            // It was not to run yet: whoever asked was not told that it does.
            Fate::Held(_) => {
                if let Err(error) = self.end_unknown(&cell.id) {
                    tracing::error!(container = %cell.id, error = error.with_causes(), "not undone");
                }
                self.not_started(cell)
            }
            Fate::Adopted(state) => {
                adopted(cell, state.init);
                state
                    .init
                    .map_or(Next::Rest, |init| Next::Watch(Hold::Alone(init)))
            }
            Fate::Ended(exit) => Next::Ended(exit),
            Fate::Undone | Fate::Foreign(_) => self.not_started(cell),
        }
    }

    /// It was started, and its end is not recorded.
    fn runs(&self, id: &Id, fate: Option<&Result<Fate, LaunchError>>) -> bool {
        let Some(Ok(Fate::Held(state) | Fate::Adopted(state))) = fate else {
            return false;
        };
        let ended = StateDir::new(&self.workloads(), id).exit();
        state.phase >= crate::launch::Phase::Running && matches!(ended, Ok(None))
    }

    /// One that was about to be started, or that was lost with the host's power.
    fn not_started(&self, cell: &Arc<Cell>) -> Next {
        let was_running = cell.record().life.runs();
        cell.live(|life| {
            if was_running || life.restart_count > 0 {
                life.vanish();
            } else if life.exits > 0 {
                life.phase = Phase::Exited;
            } else {
                life.phase = Phase::Created;
            }
            life.process = None;
        });
        self.next_of_ended(cell)
    }

    fn next_of_ended(&self, cell: &Arc<Cell>) -> Next {
        let record = cell.record();
        let (settings, life) = (&record.settings, &record.life);
        if life.phase == Phase::Restarting || restart::at_agents_start(settings, life) {
            return Next::Start;
        }
        if life.phase == Phase::Exited && settings.is_removed_at_exit() {
            return Next::Remove;
        }
        Next::Rest
    }

    /// Ends what `launch` has of a container that is not to be.
    fn end_unknown(&self, id: &Id) -> Result<(), EngineError> {
        let workloads = self.workloads();
        if let Ok(container) = Container::open(&workloads, id)
            && let Some(shim) = container.state().shim
        {
            end(shim)?;
        }
        settle_one(&workloads, id)?;
        self.delete_workload(id)
    }

    /// Ends shims that hold nothing yet: the agent that started them is dead, and what they were asked
    /// for last was not acknowledged.
    fn end_idle_shims(&self) -> Result<(), EngineError> {
        let workloads = self.workloads();
        let unread = |error| EngineError::io("read", &workloads)(error);
        let mut holders = Vec::new();
        for (_, dir) in StateDir::all(&workloads).map_err(unread)? {
            holders.extend(dir.state().map_err(unread)?.and_then(|state| state.shim));
            for (_, exec) in StateDir::all(&dir.execs()).map_err(unread)? {
                let record = fs::read(exec.file("state.json")).unwrap_or_default();
                let joiner = serde_json::from_slice::<crate::launch::Joiner>(&record);
                holders.extend(joiner.ok().map(|joiner| joiner.shim));
            }
        }
        let home = Cgroups::at(&self.parent.shims()).map_err(LaunchError::from)?;
        for pid in home.processes() {
            if holders.iter().all(|shim| shim.pid != pid)
                && let Ok(process) = Process::of(pid)
            {
                end(process)?;
            }
        }
        Ok(())
    }

    /// Mounts, bundles, cgroups and what networks left, of containers that do not run.
    fn remove_leftovers(&self, taken: &[(Arc<Cell>, Next)]) {
        let running: Vec<Id> = taken
            .iter()
            .filter(|(_, next)| matches!(next, Next::Watch(_)))
            .map(|(cell, _)| cell.id.clone())
            .collect();
        self.parts.reap(&running);
        for entry in fs::read_dir(self.bundles()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.parse::<Id>().ok());
            if id.is_none_or(|id| self.registry.get(&id).is_none())
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(bundle = %entry.path().display(), %error, "leftover not removed");
            }
        }
        if let Err(error) = self.remove_cgroups(&running) {
            tracing::warn!(error = error.with_causes(), "cgroups left over");
        }
    }

    fn remove_cgroups(&self, running: &[Id]) -> Result<(), EngineError> {
        let parent = Cgroups::at(&self.parent.path).map_err(LaunchError::from)?;
        let mut names = std::collections::BTreeSet::new();
        for &hierarchy in parent.placement().paths.keys() {
            let Some(directory) = parent.directory(hierarchy) else {
                continue;
            };
            // Not made yet.
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                names.extend(entry.file_name().into_string());
            }
        }
        for name in names {
            let is_id = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_id || running.iter().any(|id| id.as_str() == name) {
                continue;
            }
            let path = format!("{}/{name}", self.parent.path);
            end_cgroup(&path)?;
        }
        Ok(())
    }
}

/// Its record was written before it ran, or not at all.
fn adopted(cell: &Cell, init: Option<Process>) {
    let Some(init) = init else { return };
    let life = cell.record().life;
    if life.phase != Phase::Running || life.process != Some(init) {
        cell.live(|life| life.start(init));
    }
}

fn end_cgroup(path: &str) -> Result<(), EngineError> {
    let cgroups = Cgroups::at(path).map_err(LaunchError::from)?;
    let removed = cgroups.kill().and_then(|()| cgroups.remove());
    Ok(removed.map_err(LaunchError::from)?)
}

fn end(process: Process) -> Result<(), EngineError> {
    let failed = |source| LaunchError::Process {
        what: "cannot end a shim",
        source,
    };
    let deadline = Instant::now() + PATIENCE;
    process.signal(Signal::KILL).map_err(failed)?;
    while process.is_alive() {
        if Instant::now() > deadline {
            return Err(failed(std::io::ErrorKind::TimedOut.into()).into());
        }
        sleep(WAIT);
    }
    Ok(())
}
