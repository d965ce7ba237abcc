//! Finding out what became of workloads while nobody looked: at the agent's start, and when a shim dies.
//!
//! A workload whose shim lives goes on as it is. Of one whose shim was killed nothing may stay that
//! nobody holds: it is kept only if it needs no shim to run.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::Stat;
use super::state::{Exit, Joiner, Phase, State, UNKNOWN_EXIT};
use super::{Container, Id, LaunchError, Process, StateDir};
use crate::cgroup::placement_of;

const PATIENCE: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(1);
const SIGKILL: i32 = 9;

/// What became of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its shim lives: [`Line::open`](super::shim::Line::open) speaks to it.
    Held(State),
    /// It runs without a shim, and needs none. When it ends, it is to be settled again.
    Adopted(State),
    /// It is not held by shims at all: `plimsoll oci` made it for somebody else.
    Foreign(State),
    /// It has ended; only its state is left.
    Ended(Exit),
    /// It was never started, or its making broke off; nothing of it is left.
    Undone,
}

/// Settles all workloads below `root`, and removes what is left of those that are no more: processes,
/// cgroups, sockets.
///
/// # Errors
/// The directory cannot be read. What cannot be done for one workload is told with that.
pub fn settle(root: &Path) -> io::Result<Vec<(Id, Result<Fate, LaunchError>)>> {
    remove_half_made(root)?;
    let dirs = StateDir::all(root)?;
    Ok(dirs
        .into_iter()
        .map(|(id, _)| {
            let fate = settle_one(root, &id);
            (id, fate)
        })
        .collect())
}

/// Settles one.
///
/// # Errors
/// Processes of it do not end, or its state cannot be read or written.
pub fn settle_one(root: &Path, id: &Id) -> Result<Fate, LaunchError> {
    let container = match Container::open(root, id) {
        Err(LaunchError::NotFound(_)) => {
            remove_half_made(root).map_err(|source| unreadable(id, source))?;
            remove_dir(&StateDir::new(root, id), id)?;
            return Ok(Fate::Undone);
        }
        container => container?,
    };
    let state = container.state();
    let dir = container.dir();
    let recorded = dir.exit().map_err(|source| unreadable(id, source))?;
    if state.phase == Phase::Stopped {
        return Ok(recorded.map_or(Fate::Undone, Fate::Ended));
    }
    let Some(shim) = state.shim else {
        return Ok(Fate::Foreign(state.clone()));
    };
    if shim.is_alive() {
        settle_joiners(&container)?;
        return Ok(Fate::Held(state.clone()));
    }
    end_session(shim)?;
    let lives = state.init.is_some_and(|init| init.is_alive());
    let exit = match (recorded, state.phase) {
        (Some(exit), _) => exit,
        (None, Phase::Creating | Phase::Created | Phase::Stopped) => {
            container.clear()?;
            remove_dir(dir, id)?;
            return Ok(Fate::Undone);
        }
        (None, Phase::Running) if lives && !state.pumped => {
            settle_joiners(&container)?;
            return Ok(Fate::Adopted(state.clone()));
        }
        (None, Phase::Running) => {
            let exit = if lives {
                Exit::killed(SIGKILL)
            } else {
                Exit::exited(UNKNOWN_EXIT)
            };
            let exit = Exit {
                unseen: true,
                ..exit
            };
            dir.write_exit(&exit)
                .map_err(|source| unreadable(id, source))?;
            exit
        }
    };
    container.clear()?;
    let mut container = Container::open(root, id)?;
    container.record_end()?;
    Ok(Fate::Ended(exit))
}

fn unreadable(id: &Id, source: io::Error) -> LaunchError {
    LaunchError::State {
        id: id.clone(),
        source,
    }
}

fn remove_dir(dir: &StateDir, id: &Id) -> Result<(), LaunchError> {
    dir.remove().map_err(|source| unreadable(id, source))
}

/// Ends the processes that a shim was about to make a workload of: they are still in its session, and
/// some not yet in the workload's cgroup.
fn end_session(shim: Process) -> Result<(), LaunchError> {
    // Nobody gets the number as long as there is one of its session.
    if Process::of(shim.pid).is_ok_and(|process| process != shim) {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let members = session(shim.pid);
        if members.is_empty() {
            return Ok(());
        }
        for member in members {
            member
                .signal(Signal::KILL)
                .map_err(super::create::unknown_process)?;
        }
        if Instant::now() > deadline {
            let source = io::ErrorKind::TimedOut.into();
            let what = "processes of a dead shim do not end";
            return Err(LaunchError::Process { what, source });
        }
        sleep(WAIT);
    }
}

/// Living processes of a session. Its number is nobody else's as long as there are some.
fn session(leader: u32) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let start_time = Stat::read(pid)
            .ok()
            .filter(|stat| stat.session == leader)?
            .start_time;
        let process = Process { pid, start_time };
        process.is_alive().then_some(process)
    })
    .collect()
}

/// Ends what joined and has nobody to pass its output on, and records what nobody saw end.
fn settle_joiners(container: &Container) -> Result<(), LaunchError> {
    let execs = container.dir().execs();
    let dirs = StateDir::all(&execs).map_err(|source| unreadable(&container.state().id, source))?;
    for (id, dir) in dirs {
        let failed = |source| unreadable(&id, source);
        let recorded = dir.exit().map_err(failed)?;
        let joiner: Option<Joiner> = dir.record().map_err(failed)?;
        let Some(joiner) = joiner.filter(|joiner| recorded.is_none() && !joiner.shim.is_alive())
        else {
            continue;
        };
        end_session(joiner.shim)?;
        let process = joiner
            .process
            .or_else(|| announced(container, &dir, joiner.shim));
        let lives = process.filter(Process::is_alive);
        if let Some(process) = lives {
            if !joiner.pumped && joiner.process.is_some() {
                continue;
            }
            process.signal(Signal::KILL).map_err(failed)?;
        }
        let exit = Exit {
            unseen: true,
            ..if lives.is_some() {
                Exit::killed(SIGKILL)
            } else {
                Exit::exited(UNKNOWN_EXIT)
            }
        };
        dir.write_exit(&exit).map_err(failed)?;
    }
    Ok(())
}

/// A process that joined, of which only the pid was written before its shim died. To be sure that it is
/// that one, it has to be in the workload and younger than the shim.
fn announced(container: &Container, dir: &StateDir, shim: Process) -> Option<Process> {
    let pid = fs::read_to_string(dir.file(super::join::ANNOUNCEMENT)).ok()?;
    let process = Process::of(pid.trim().parse().ok()?).ok()?;
    let own = placement_of(process.pid).ok()?;
    let mut paths = container.cgroups().placement().paths.iter();
    let is_inside = paths.all(|(id, path)| {
        let actual = own.paths.get(id);
        actual.is_some_and(|actual| Path::new(actual).starts_with(path))
    });
    (is_inside && process.start_time >= shim.start_time).then_some(process)
}

/// Directories that were never finished: their makers are gone.
fn remove_half_made(root: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let maker = name
            .to_str()
            .and_then(|name| name.strip_prefix('~')?.rsplit_once('-'));
        let maker = maker.and_then(|(_, pid)| pid.parse::<u32>().ok());
        // Killed, it may be a zombie for a while.
        let is_gone = |pid| Process::of(pid).map_or(true, |maker| !maker.is_alive());
        if maker.is_some_and(is_gone) {
            match fs::remove_dir_all(entry.path()) {
                // Somebody else settles, too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}
