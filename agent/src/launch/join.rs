//! A further process in a workload that runs (`exec`).

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Process as ProcessSpec, Spec};

use super::apart::{self, Apart};
use super::builder::{Descriptors, builder};
use super::confinement::Confinement;
use super::console::{ConsoleSocket, console_size};
use super::create::{own_stdio, unknown_process};
use super::executor::{Joining, Program};
use super::filter::{Filter, notifies};
use super::neighbours::Neighbours;
use super::spec::{self, SpecError, Warning, swap_masks};
use super::state_dir;
use super::users::Users;
use super::{Container, LaunchError, Process, Status, Terminal, maker, owner, trace};
use crate::cgroup::{HierarchyId, Mode, placement_of};

/// Name of the file with the pid of a process about to run.
pub(super) const ANNOUNCEMENT: &str = "joining.pid";

/// What is to join.
#[derive(Debug)]
pub struct JoinOrder<'a> {
    pub container: &'a Container,
    /// What it does not say, the workload's own process does.
    pub process: ProcessSpec,
    /// As for [`Order`](super::Order).
    pub stdio: Option<[OwnedFd; 3]>,
    pub terminal: Terminal<'a>,
    pub preserved_descriptors: u32,
    /// Into a frozen workload too, where it waits for the thaw.
    pub ignore_paused: bool,
    /// Directory in which its pid is announced before it runs: so that it is found if this process is
    /// killed meanwhile.
    pub announced_in: Option<&'a Path>,
}

/// A process that joined, and runs.
#[derive(Debug)]
pub struct Joined {
    pub process: Process,
    /// `None`: it has ended already. It is a child of this process.
    pub pidfd: Option<OwnedFd>,
    pub warnings: Vec<Warning>,
    /// With [`Terminal::Kept`], if the process asks for a terminal.
    pub master: Option<OwnedFd>,
}

/// Lets a process join. To be called in a process with one thread, in a sealed executable.
///
/// # Errors
/// The workload does not run, or the program cannot be started in it.
pub fn join(order: JoinOrder<'_>) -> Result<Joined, LaunchError> {
    let status = order.container.status();
    if !(status == Status::Running || (status == Status::Paused && order.ignore_paused)) {
        let verb = "exec in";
        return Err(LaunchError::WrongStatus { verb, status });
    }
    let spec = order.container.spec()?;
    let mut process = order.process.clone();
    inherit(&mut process, &spec);
    let init = order
        .container
        .state()
        .init
        .ok_or(LaunchError::NotRunning)?;
    let root = PathBuf::from(format!("/proc/{}/root", init.pid));
    let warnings = spec::vet_process(&mut process, &spec, &root)?;
    let filter = filter(order.container, &spec)?;
    let user = owner::host_user(&process, &spec);
    let users =
        spec::has_namespace(&spec, LinuxNamespaceType::User).then(|| Users::of(&mut process, init));
    let users = users.transpose().map_err(unknown_process)?;
    let confinement = match &users {
        Some(_) => Confinement::of_other_users(&mut process, filter),
        None => Confinement::of(&mut process, filter),
    };
    let program = Program {
        confinement: Some(confinement),
        joining: Some(Joining {
            terminal_size: console_size(&process),
            terminal_user: (process.terminal() == Some(true)).then_some(user),
            users,
        }),
    };
    let files = Files::new(order.container);
    let console = console(&order, &process, &files)?;
    if let Some(stdio) = &order.stdio {
        owner::hand_over(stdio.each_ref().map(AsFd::as_fd), user);
    } else if console.is_none() {
        owner::hand_over(own_stdio(), user);
    }
    state_dir::write(&files.process, &process).map_err(|source| LaunchError::Write {
        path: files.process.clone(),
        source,
    })?;

    let terminal = order.terminal;
    let pid = run_libcontainer(order, &spec, program, console.as_ref(), &files)?;
    // A short one may be gone, but not reaped: it is our child.
    let joined = Process::of(pid).map_err(unknown_process)?;
    let pidfd = joined.open().map_err(unknown_process)?;
    let master = match &console {
        Some(socket) => {
            let failed = |source| LaunchError::Console { source };
            let master = socket.receive().map_err(failed)?;
            terminal.give(master)?
        }
        None => None,
    };
    Ok(Joined {
        process: joined,
        pidfd,
        warnings,
        master,
    })
}

/// Files that only live while it joins.
struct Files {
    directory: PathBuf,
    process: PathBuf,
    console: String,
}

impl Files {
    fn new(container: &Container) -> Self {
        let directory = container.dir().path().to_owned();
        let own = std::process::id();
        Self {
            process: directory.join(format!("join-{own}.json")),
            console: format!("join-{own}.sock"),
            directory,
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Goes with the state directory otherwise.
        let _ = std::fs::remove_file(&self.process);
    }
}

fn console(
    order: &JoinOrder<'_>,
    process: &ProcessSpec,
    files: &Files,
) -> Result<Option<ConsoleSocket>, LaunchError> {
    if !order.terminal.fits(process.terminal() == Some(true))? {
        return Ok(None);
    }
    ConsoleSocket::listen(&files.directory, &files.console)
        .map(Some)
        .map_err(|source| LaunchError::Console { source })
}

fn run_libcontainer(
    order: JoinOrder<'_>,
    spec: &Spec,
    program: Program,
    console: Option<&ConsoleSocket>,
    files: &Files,
) -> Result<u32, LaunchError> {
    let container = order.container;
    let descriptors = Descriptors {
        console: console.map(ConsoleSocket::path),
        stdio: order.stdio,
        preserved: order.preserved_descriptors,
    };
    owner::leave_keyring();
    trace::forget();
    let below = sub_cgroup(container);
    let cgroups = container.cgroups().below(below.as_deref());
    let neighbours = || Neighbours::of(&container.state().rootfs, spec, &[container.dir().path()]);
    let apart = apart::is_possible(&cgroups).then(|| Apart(neighbours()));
    let work = || {
        if let Some(apart) = &apart {
            apart.leave(&cgroups)?;
        }
        let builder = builder(&container.state().id, container.dir(), program, descriptors)?
            .with_pid_file(order.announced_in.map(|dir| dir.join(ANNOUNCEMENT)))
            .map_err(|error| trace::refusal(&error))?;
        let builder = builder
            .as_tenant()
            .with_process(Some(&files.process))
            .with_ignore_paused(order.ignore_paused)
            .with_sub_cgroup(below)
            .with_detach(true);
        let joined = builder.build();
        Ok(joined.map_err(|error| trace::refusal(&error))?.as_raw())
    };
    let (joined, mut maker) = maker::make(&cgroups, apart.is_some(), work, |_| Ok(()))?;
    maker.await_end()?;
    Ok(joined)
}

/// A workload that manages its own cgroups on v2 has moved its first process down, and its own cgroup
/// lets no process in.
fn sub_cgroup(container: &Container) -> Option<String> {
    if container.cgroups().layout().mode() != Mode::Unified {
        return None;
    }
    let init = container.state().init?;
    let own = container
        .cgroups()
        .placement()
        .paths
        .get(&HierarchyId::V2)?;
    let actual = placement_of(init.pid)
        .ok()?
        .paths
        .remove(&HierarchyId::V2)?;
    let below = actual.strip_prefix(own)?.strip_prefix('/')?;
    Some(below.to_owned())
}

/// What the process does not say is as for the workload's first process.
fn inherit(process: &mut ProcessSpec, spec: &Spec) {
    let Some(first) = spec.process() else { return };
    if process.rlimits().as_ref().is_none_or(Vec::is_empty) {
        process.set_rlimits(first.rlimits().clone());
    }
    if process.capabilities().is_none() {
        process.set_capabilities(first.capabilities().clone());
    }
    if process.no_new_privileges().is_none() {
        process.set_no_new_privileges(first.no_new_privileges());
    }
    if process.apparmor_profile().is_none() {
        process.set_apparmor_profile(first.apparmor_profile().clone());
    }
    if process.oom_score_adj().is_none() {
        process.set_oom_score_adj(first.oom_score_adj());
    }
}

/// The first process's.
fn filter(container: &Container, spec: &Spec) -> Result<Option<Filter>, LaunchError> {
    let kept = container.dir().filter();
    let kept = kept.map_err(|source| LaunchError::State {
        id: container.state().id.clone(),
        source,
    })?;
    // What is in the specification was left to `libcontainer`, in its words.
    let linux = spec.linux().as_ref();
    match linux.and_then(|linux| linux.seccomp().clone()) {
        Some(profile) if notifies(&profile) => Err(SpecError::SeccompNotify.into()),
        Some(mut profile) => {
            swap_masks(&mut profile);
            Ok(Some(Filter::of(&profile)?))
        }
        None => Ok(kept),
    }
}
