//! Further processes in a container that runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard::models::{ExecConfig, ExecInspectResponse, ProcessConfig};

use super::EngineError;
use super::attach::{Attachment, Wanted, ends, pass, set_size};
use super::cell::{Cell, held};
use super::handle::{Engine, Shared};
use super::model::{Durability, Phase, write};
use super::name::random_hex;
use crate::launch::shim::{Held, Hello, JoinRequest, Line, Stdio};
use crate::launch::{Id, Process, StateDir, settle_one};

/// How long one that has ended can be asked about.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The exit code of which nobody knows.
const UNKNOWN: i64 = 255;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Execs(Mutex<BTreeMap<String, Arc<Exec>>>);

/// One.
#[derive(Debug)]
pub(super) struct Exec {
    id: Id,
    container: Id,
    config: ExecConfig,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Created,
    Starting,
    Running(Process),
    Ended { code: i64, at: Instant },
}

impl Execs {
    fn add(&self, exec: Exec) {
        let mut all = held(&self.0);
        all.retain(|_, exec| !exec.is_forgotten());
        all.insert(exec.id.to_string(), Arc::new(exec));
    }

    fn get(&self, id: &str) -> Result<Arc<Exec>, EngineError> {
        let found = held(&self.0).get(id).cloned();
        found.ok_or_else(|| EngineError::NoSuchExec(id.to_owned()))
    }

    /// Ids of those in a container that have not ended.
    pub(super) fn of(&self, container: &Id) -> Vec<String> {
        let all = held(&self.0);
        let own = all.values().filter(|exec| exec.container == *container);
        own.filter(|exec| !matches!(*held(&exec.state), State::Ended { .. }))
            .map(|exec| exec.id.to_string())
            .collect()
    }

    /// Forgets those of a container that is removed.
    pub(super) fn forget(&self, container: &Id) {
        held(&self.0).retain(|_, exec| exec.container != *container);
    }
}

/// One that is about to be started.
#[derive(Debug)]
pub struct AdmittedExec {
    exec: Arc<Exec>,
    cell: Arc<Cell>,
}

impl AdmittedExec {
    /// It has a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        self.exec.config.tty == Some(true)
    }
}

impl Exec {
    /// Records its end, once.
    pub(super) fn end(&self, code: i64) -> bool {
        let mut state = held(&self.state);
        if matches!(*state, State::Ended { .. }) {
            return false;
        }
        let at = Instant::now();
        *state = State::Ended { code, at };
        true
    }

    fn is_forgotten(&self) -> bool {
        matches!(*held(&self.state), State::Ended { at, .. } if at.elapsed() > REMEMBERED)
    }
}

impl Engine {
    /// Records a process to be started in a container; its id.
    ///
    /// # Errors
    /// The container does not run, or there is nothing to run in it.
    pub fn exec_create(&self, wanted: &str, config: ExecConfig) -> Result<String, EngineError> {
        let cell = self.cell(wanted)?;
        require_running(&cell)?;
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            return Err(EngineError::Invalid("No exec command specified".to_owned()));
        }
        let id = random_hex()?;
        let exec = Exec {
            id: id.parse().map_err(|error| {
                EngineError::Launch(crate::launch::LaunchError::InvalidId(error))
            })?,
            container: cell.id.clone(),
            config,
            state: Mutex::new(State::Created),
        };
        let command = exec.config.cmd.clone().unwrap_or_default();
        self.shared.execs.add(exec);
        let events = &self.shared.events;
        events.exec(&cell, "exec_create", &command, &id);
        Ok(id)
    }

    /// The keys by which a client leaves it; `None`: the usual ones.
    ///
    /// # Errors
    /// There is no such process.
    pub fn exec_detach_keys(&self, id: &str) -> Result<Option<String>, EngineError> {
        Ok(self.shared.execs.get(id)?.config.detach_keys.clone())
    }

    /// Admits it to be started, once.
    ///
    /// # Errors
    /// It was started before, or the container does not run.
    pub fn exec_admit(&self, id: &str) -> Result<AdmittedExec, EngineError> {
        let exec = self.shared.execs.get(id)?;
        let cell = self.cell(exec.container.as_str())?;
        require_running(&cell)?;
        let mut state = held(&exec.state);
        match *state {
            State::Created => *state = State::Starting,
            _ => return Err(EngineError::ExecRunning(id.to_owned())),
        }
        drop(state);
        Ok(AdmittedExec { exec, cell })
    }

    /// Starts it, as [`exec_admit`](Self::exec_admit) and [`exec_run`](Self::exec_run) do.
    ///
    /// # Errors
    /// As theirs.
    pub async fn exec_start(
        &self,
        id: &str,
        detach: bool,
        size: Option<(u16, u16)>,
    ) -> Result<Option<Attachment>, EngineError> {
        self.exec_run(self.exec_admit(id)?, detach, size).await
    }

    /// Runs one; attached, unless `detach`. `size`: rows and columns of the client's window.
    ///
    /// # Errors
    /// The program cannot be started.
    pub async fn exec_run(
        &self,
        admitted: AdmittedExec,
        detach: bool,
        size: Option<(u16, u16)>,
    ) -> Result<Option<Attachment>, EngineError> {
        let AdmittedExec { exec, cell } = admitted;
        let command = exec.config.cmd.as_deref().unwrap_or_default();
        let events = &self.shared.events;
        events.exec(&cell, "exec_start", command, exec.id.as_str());
        let (own, order) = (Arc::clone(&cell), Arc::clone(&exec));
        let joined = self
            .blocking(move |shared| shared.join(&own, &order.id, &order.config, !detach, size))
            .await;
        let (held_process, line) = match joined {
            Ok(joined) => joined,
            Err(error) => {
                exec.end(error.exit_code());
                return Err(error);
            }
        };
        {
            let mut state = held(&exec.state);
            if matches!(*state, State::Starting) {
                *state = State::Running(held_process.made.process);
            }
        }
        self.watch_exec(cell, Arc::clone(&exec), held_process);
        let Some(line) = line.transpose()? else {
            return Ok(None);
        };
        let config = &exec.config;
        let wanted = Wanted {
            stdout: config.attach_stdout == Some(true),
            stderr: config.attach_stderr == Some(true),
            closes_input: config.tty != Some(true),
        };
        let (attachment, ends) = ends(config.tty == Some(true));
        let token = self.shared.token.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                passed = pass(line, wanted, ends, Some(exec)) => {
                    if let Err(error) = passed {
                        tracing::debug!(%error, "client detached");
                    }
                }
            }
        });
        Ok(Some(attachment))
    }

    /// Looks at it.
    ///
    /// # Errors
    /// There is none.
    pub fn exec_inspect(&self, id: &str) -> Result<ExecInspectResponse, EngineError> {
        let exec = self.shared.execs.get(id)?;
        let (config, state) = (&exec.config, *held(&exec.state));
        let words = config.cmd.clone().unwrap_or_default();
        let (pid, code) = match state {
            State::Created | State::Starting => (0, None),
            State::Running(process) => (i64::from(process.pid), None),
            State::Ended { code, .. } => (0, Some(code)),
        };
        Ok(ExecInspectResponse {
            can_remove: Some(false),
            detach_keys: config.detach_keys.clone(),
            id: Some(exec.id.to_string()),
            running: Some(matches!(state, State::Starting | State::Running(_))),
            exit_code: code,
            process_config: Some(ProcessConfig {
                privileged: config.privileged,
                user: config.user.clone(),
                tty: config.tty,
                entrypoint: words.first().cloned(),
                arguments: Some(words.get(1..).unwrap_or_default().to_vec()),
            }),
            open_stdin: config.attach_stdin,
            open_stderr: config.attach_stderr,
            open_stdout: config.attach_stdout,
            container_id: Some(exec.container.to_string()),
            pid: Some(pid),
        })
    }

    /// Tells its terminal the size of the client's window.
    ///
    /// # Errors
    /// It does not run.
    pub async fn exec_resize(&self, id: &str, rows: u16, columns: u16) -> Result<(), EngineError> {
        let exec = self.shared.execs.get(id)?;
        if !matches!(*held(&exec.state), State::Running(_)) {
            let text = format!("exec {id} is not running");
            return Err(EngineError::Part {
                kind: super::ErrorKind::Conflict,
                text,
            });
        }
        self.blocking(move |shared| {
            let state = shared.exec_dir(&exec.container, &exec.id);
            set_size(state.path(), rows, columns)
                .map_err(EngineError::io("call the shim in", state.path()))
        })
        .await
    }

    fn watch_exec(&self, cell: Arc<Cell>, exec: Arc<Exec>, process: Held) {
        let engine = self.clone();
        self.shared.tasks.spawn(async move {
            let token = engine.shared.token.clone();
            let exit = tokio::select! {
                () = token.cancelled() => return,
                exit = engine.exit_of_exec(&exec.container, &exec.id, process) => exit,
            };
            exec.end(exit);
            let (container, id) = (exec.container.clone(), exec.id.clone());
            let forgotten = engine.blocking(move |shared| {
                shared.forget_exec(&container, &id);
                Ok(())
            });
            // The engine is going down: it goes with the container.
            drop(forgotten.await);
            engine.shared.events.exec_die(&cell, exit, &exec.id);
        });
    }

    /// The exit code of a process that joined.
    pub(super) async fn exit_of_exec(&self, container: &Id, id: &Id, mut process: Held) -> i64 {
        let seen = self.exit_of_held(&mut process).await;
        self.reap_later(process);
        if let Ok(Some(exit)) = seen {
            return i64::from(exit.code);
        }
        let (container, id) = (container.clone(), id.clone());
        let settled = self.blocking(move |shared| {
            // Ends what a killed shim left, and records it.
            settle_one(&shared.workloads(), &container)?;
            Ok(shared.exec_dir(&container, &id).exit().ok().flatten())
        });
        match settled.await {
            Ok(Some(exit)) => i64::from(exit.code),
            Ok(None) | Err(_) => UNKNOWN,
        }
    }
}

impl Shared {
    /// Lets a process join; with a line to it when somebody wants its output. Blocks.
    pub(super) fn join(
        &self,
        cell: &Cell,
        id: &Id,
        config: &ExecConfig,
        attached: bool,
        size: Option<(u16, u16)>,
    ) -> Result<(Held, Option<Result<Line, EngineError>>), EngineError> {
        let process = self.parts.exec_process(cell.dir.bundle(), config, size)?;
        let file = cell.dir.bundle().join(format!("{id}.json"));
        let written = write(&file, &process, Durability::Agent);
        written.map_err(EngineError::io("write", &file))?;
        let stdio = if config.tty == Some(true) {
            Stdio::Terminal { log: None }
        } else if attached {
            Stdio::Pipes {
                input: config.attach_stdin == Some(true),
                log: None,
            }
        } else {
            Stdio::Null
        };
        let request = JoinRequest {
            id: cell.id.clone(),
            root: self.workloads(),
            exec: id.clone(),
            process: file.clone(),
            stdio,
            ignore_paused: false,
            expects_client: attached,
        };
        let spare = self
            .spares
            .take()
            .map_err(|error| EngineError::join(&error))?;
        self.spares.replenish();
        let joined = spare.join(request, None);
        // It is read by now.
        let _ = std::fs::remove_file(&file);
        let joined = joined.map_err(|error| EngineError::join(&error))?;
        let line = attached.then(|| {
            let hello = Hello {
                output: true,
                input: config.attach_stdin == Some(true),
                wait_for_me: true,
                logs: false,
            };
            let state = self.exec_dir(&cell.id, id);
            Line::open(state.path(), &hello)
                .map_err(EngineError::io("call the shim in", state.path()))
        });
        Ok((joined, line))
    }

    /// Removes what is recorded of one that has ended.
    pub(super) fn forget_exec(&self, container: &Id, id: &Id) {
        // With the container, otherwise.
        let _ = std::fs::remove_dir_all(self.exec_dir(container, id).path());
    }

    fn exec_dir(&self, container: &Id, id: &Id) -> StateDir {
        StateDir::new(&StateDir::new(&self.workloads(), container).execs(), id)
    }
}

fn require_running(cell: &Cell) -> Result<(), EngineError> {
    let life = cell.record().life;
    match life.phase {
        Phase::Running if life.paused => Err(EngineError::Paused(cell.id.clone())),
        Phase::Running => Ok(()),
        Phase::Restarting => Err(EngineError::Restarting(cell.id.clone())),
        Phase::Created | Phase::Starting | Phase::Exited | Phase::Removing => {
            Err(EngineError::NotRunning(cell.id.clone()))
        }
    }
}
