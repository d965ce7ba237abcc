//! A workload that exists: what the verbs do with it.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use libcontainer::container::Container as Runtime;
use libcontainer::oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Spec};
use nix::poll::{PollFd, PollFlags, poll};
use rustix::process::Signal;

use super::builder::runtime_dir;
use super::cgroups::Cgroups;
use super::create::unknown_process;
use super::spec::{self, Warning};
use super::state::{Phase, State, Status};
use super::{Id, LaunchError, Process, StateDir, limits, trace};
use crate::cgroup::Mode;

/// How long a killed process may take to be dead, in milliseconds.
const DEATH: u16 = 1_000;

/// A workload as it is recorded.
#[derive(Clone, Debug)]
pub struct Container {
    dir: StateDir,
    state: State,
    cgroups: Cgroups,
}

impl Container {
    pub(super) const fn new(dir: StateDir, state: State, cgroups: Cgroups) -> Self {
        Self {
            dir,
            state,
            cgroups,
        }
    }

    /// Reads its state.
    ///
    /// # Errors
    /// There is none of this id, or its state cannot be read.
    pub fn open(root: &Path, id: &Id) -> Result<Self, LaunchError> {
        let dir = StateDir::new(root, id);
        let state = dir.state().map_err(|source| LaunchError::State {
            id: id.clone(),
            source,
        })?;
        let state = state.ok_or_else(|| LaunchError::NotFound(id.clone()))?;
        let cgroups = Cgroups::recorded(state.cgroups.clone())?;
        Ok(Self::new(dir, state, cgroups))
    }

    /// What is recorded.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where it is recorded.
    #[must_use]
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// Its cgroup in every hierarchy.
    #[must_use]
    pub fn cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    /// What it does now.
    #[must_use]
    pub fn status(&self) -> Status {
        let lives = self.state.init.is_some_and(|init| init.is_alive());
        match self.state.phase {
            Phase::Stopped => Status::Stopped,
            Phase::Creating if self.state.shim.is_some_and(|shim| shim.is_alive()) => {
                Status::Creating
            }
            Phase::Created if lives => Status::Created,
            Phase::Running if lives && self.cgroups.is_frozen() => Status::Paused,
            Phase::Running if lives => Status::Running,
            Phase::Creating | Phase::Created | Phase::Running => Status::Stopped,
        }
    }

    /// The specification as it was carried out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn spec(&self) -> Result<Spec, LaunchError> {
        let mut spec = spec::load(self.dir.path())?;
        if let (Some(process), Some(own)) = (spec.process_mut(), &self.state.capabilities) {
            process.set_capabilities(Some(own.clone()));
        }
        Ok(spec)
    }

    /// Lets its first process become the program.
    ///
    /// # Errors
    /// It is not waiting for that, or a hook failed; it is killed then.
    pub fn start(&mut self) -> Result<(), LaunchError> {
        let status = self.status();
        if status != Status::Created {
            let verb = "start";
            return Err(LaunchError::WrongStatus { verb, status });
        }
        let runtime = runtime_dir(&self.dir, &self.state.id);
        // Recorded before it is so: whoever finds it looks whether the process lives.
        self.record(Phase::Running)?;
        trace::forget();
        let started = Runtime::load(runtime).and_then(|mut runtime| runtime.start());
        if let Err(error) = started {
            let error = trace::refusal(&error);
            self.cgroups.kill()?;
            return Err(error);
        }
        Ok(())
    }

    /// Sends a signal to its first process, or to all.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self, signal: Signal, all: bool) -> Result<(), LaunchError> {
        if all {
            self.cgroups.signal(signal);
            return Ok(());
        }
        if matches!(self.status(), Status::Stopped) {
            return Err(LaunchError::NotRunning);
        }
        let init = self.state.init.ok_or(LaunchError::NotRunning)?;
        if !init.signal(signal).map_err(unknown_process)? {
            return Err(LaunchError::NotRunning);
        }
        if signal == Signal::KILL {
            if !self.has_pid_namespace() {
                // Others would live on, and keep it from being deleted.
                self.cgroups.signal(signal);
            }
            if self.cgroups.is_frozen() {
                self.cgroups.thaw()?;
            }
        }
        Ok(())
    }

    /// Freezes it.
    ///
    /// # Errors
    /// It does not run, or there is no freezer.
    pub fn pause(&self) -> Result<(), LaunchError> {
        match self.status() {
            Status::Running | Status::Created => Ok(self.cgroups.freeze()?),
            status => Err(LaunchError::WrongStatus {
                verb: "pause",
                status,
            }),
        }
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not frozen.
    pub fn resume(&self) -> Result<(), LaunchError> {
        match self.status() {
            Status::Paused => Ok(self.cgroups.thaw()?),
            status => Err(LaunchError::WrongStatus {
                verb: "resume",
                status,
            }),
        }
    }

    /// Sets limits on it; what is not given stays.
    ///
    /// # Errors
    /// This host cannot enforce one of them, or the kernel refuses its value.
    pub fn update(&self, mut resources: LinuxResources) -> Result<Vec<Warning>, LaunchError> {
        let status = self.status();
        if status == Status::Stopped {
            return Err(LaunchError::NotRunning);
        }
        if self.cgroups.layout().mode() == Mode::Unified
            && resources
                .devices()
                .as_ref()
                .is_some_and(|rules| !rules.is_empty())
        {
            let text = "device rules are set once on cgroup v2".to_owned();
            return Err(LaunchError::Update(text));
        }
        let mut warnings = Vec::new();
        spec::prepare_limits(&mut resources, &self.cgroups, &mut warnings)
            .map_err(spec::SpecError::from)?;
        limits::apply(&resources, &self.cgroups, &self.state.id)?;
        Ok(warnings)
    }

    /// Removes it: processes, cgroups in every hierarchy, state; runs its last hooks. Mounts go with its
    /// mount namespace.
    ///
    /// # Errors
    /// It runs, and `force` is not given; or a process of it cannot be killed.
    pub fn delete(self, force: bool) -> Result<(), LaunchError> {
        let status = self.status();
        let may = match status {
            Status::Stopped | Status::Created => true,
            Status::Creating | Status::Running | Status::Paused => force,
        };
        if !may {
            let verb = "delete";
            return Err(LaunchError::WrongStatus { verb, status });
        }
        // Nothing else was left when that was recorded.
        if self.state.phase != Phase::Stopped {
            self.clear()?;
        }
        let id = self.state.id.clone();
        self.dir
            .remove()
            .map_err(|source| LaunchError::State { id, source })
    }

    /// Leaves nothing of it but its directory.
    pub(super) fn clear(&self) -> Result<(), LaunchError> {
        self.cgroups.kill()?;
        self.cgroups.remove()?;
        let runtime = runtime_dir(&self.dir, &self.state.id);
        if !runtime.exists() {
            return Ok(());
        }
        if self.has_last_words() {
            trace::forget();
            match Runtime::load(runtime.clone()) {
                Ok(mut runtime) => {
                    await_end(&runtime);
                    let deleted = runtime.delete(true);
                    return deleted.map_err(|error| trace::refusal(&error));
                }
                // libcontainer 0.7.0 writes it in place: whoever did was killed meanwhile.
                Err(error) => tracing::debug!(%error, "libcontainer's state is removed unread"),
            }
        }
        fs::remove_dir_all(&runtime).map_err(|source| LaunchError::State {
            id: self.state.id.clone(),
            source,
        })
    }

    /// Is there something in the specification for the time after its end? If not, there is nothing for
    /// `libcontainer` to do then but to look for its cgroups, in 600 system calls.
    fn has_last_words(&self) -> bool {
        self.spec().map_or(true, |spec| {
            let linux = spec.linux().as_ref();
            spec.hooks().is_some() || linux.is_some_and(|linux| linux.intel_rdt().is_some())
        })
    }

    fn record(&mut self, phase: Phase) -> Result<(), LaunchError> {
        self.state.phase = phase;
        self.dir
            .write_state(&self.state)
            .map_err(|source| LaunchError::State {
                id: self.state.id.clone(),
                source,
            })
    }

    /// Records that nothing of it is left.
    pub(super) fn record_end(&mut self) -> Result<(), LaunchError> {
        self.state.shim = None;
        self.record(Phase::Stopped)
    }

    fn has_pid_namespace(&self) -> bool {
        // Unreadable: the careful answer is that nothing goes by itself.
        self.spec()
            .is_ok_and(|spec| spec::has_namespace(&spec, LinuxNamespaceType::Pid))
    }
}

/// A process that was killed is out of its cgroup before it is dead. `libcontainer` 0.7.0 takes it for alive
/// then, and fails to find it in a cgroup that is gone (container/container_delete.rs).
fn await_end(runtime: &Runtime) {
    let pid = runtime
        .pid()
        .and_then(|pid| u32::try_from(pid.as_raw()).ok());
    let process = pid.and_then(|pid| Process::of(pid).ok()?.open().ok()?);
    if let Some(process) = process {
        let mut awaited = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        // Whether it ended in time, `libcontainer` finds out.
        let _ = poll(&mut awaited, DEATH);
    }
}
