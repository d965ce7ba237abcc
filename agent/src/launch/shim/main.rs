//! The shim's own process.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use libcgroups::v1::util::list_subsystem_mount_points;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::stdio::{dup2_stdin, stdin};

use super::farewell::FAREWELL;
use super::holder::{Holder, REST, Streams};
use super::link::Link;
use super::log::Log;
use super::request::{CreateRequest, JoinRequest, Made, PrepareRequest, Report, Request};
use super::wiring::Wired;
use super::{SOCKET, memory, zygote};
use crate::cgroup::Controller;
use crate::launch::error::with_causes;
use crate::launch::state::{Exit, Joiner, now};
use crate::launch::state_dir;
use crate::launch::{
    Cgroups, Container, Id, JoinOrder, LaunchError, Order, Phase, Process, Signal, Site, StateDir,
    Terminal, Trace, console, create, create_at, ensure_sealed, join, trace,
};

/// The hidden verb.
const VERB: &str = "shim";
/// Failures that nobody is left to be told.
const FAILED: u8 = 1;

/// The cgroup that shims are to live in, if this process is meant to be what they are cloned from.
#[must_use]
pub fn meant(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Option<String>> {
    if arguments.nth(1)? != VERB {
        return None;
    }
    Some(arguments.next().and_then(|path| path.into_string().ok()))
}

/// Lives as a zygote: gets ready, and clones shims. Each of them waits for its request, and holds what comes of it.
#[must_use]
pub fn run(home: Option<&str>) -> ExitCode {
    let link = ensure_sealed()
        .map_err(io::Error::other)
        .and_then(|()| take_link());
    let served = link.and_then(|link| match get_ready(home) {
        Ok(()) => match zygote::serve(link)? {
            Some(link) => serve(&link, &become_shim()?),
            None => Ok(()),
        },
        Err(error) => zygote::refuse(&link, &error),
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started it with a standard error of use.
            let _ = io::Write::write_all(
                &mut io::stderr(),
                format!("plimsoll shim: {error}\n").as_bytes(),
            );
            ExitCode::from(FAILED)
        }
    }
}

/// Standard input is the link; what the workload may inherit is nothing.
fn take_link() -> io::Result<Link> {
    let link = rustix::io::fcntl_dupfd_cloexec(stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    Ok(Link::new(link))
}

/// What shims inherit.
fn get_ready(home: Option<&str>) -> io::Result<()> {
    Trace::install(tracing::Level::ERROR, None);
    rustix::thread::set_name(c"plimsoll-zygote")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    if let Some(path) = home {
        let cgroups = Cgroups::at(path).map_err(io::Error::other)?;
        let entered = cgroups.make().and_then(|_| cgroups.enter());
        entered.map_err(|error| io::Error::other(with_causes(&error)))?;
    }
    // `pathrs` 0.2 keeps the proc file system that it mounts for itself, and so do all that are cloned from
    // here on: it is not mounted and unmounted by each of them. What is read is of no interest.
    let _ = list_subsystem_mount_points();
    memory::shed();
    Ok(())
}

/// What they do not inherit.
fn become_shim() -> io::Result<SignalFd> {
    rustix::thread::set_name(c"plimsoll-shim")?;
    rustix::process::setsid()?;
    trace::keep_apart();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    Ok(SignalFd::with_flags(&SigSet::all(), flags)?)
}

fn serve(link: &Link, signals: &SignalFd) -> io::Result<()> {
    let mut asked = next(link)?;
    let mut site = None;
    if let Some((Request::Prepare(request), _)) = asked {
        site = Some(prepare(&request));
        asked = next(link)?;
    }
    let Some((request, descriptors)) = asked else {
        return Ok(());
    };
    let stdio = <[OwnedFd; 3]>::try_from(descriptors).ok();
    let done = match (request, site.transpose()) {
        (_, Err(error)) => Err(error),
        (Request::Create(request), Ok(site)) => hold_workload(link, signals, &request, stdio, site),
        (Request::Join(request), Ok(None)) => hold_joined(link, signals, &request, stdio),
        (Request::Prepare(_) | Request::Join(_) | Request::Start, Ok(_)) => {
            Err(refused("not what was to be asked for"))
        }
    };
    if let Err(error) = &done {
        let text = error.with_causes();
        // An agent that is gone finds no state, and so no workload.
        let _ = link.send(&Report::Failed { text }, &[]);
    }
    Ok(())
}

/// `None`: the agent has let go of this shim, or ended: the next one, which may have looked already, would not know of
/// what came of a request.
fn next(link: &Link) -> io::Result<Option<(Request, Vec<OwnedFd>)>> {
    let asked = link.receive::<Request>()?;
    Ok(asked.filter(|_| !link.is_abandoned()))
}

fn prepare(request: &PrepareRequest) -> Result<Site, LaunchError> {
    forget_ended(&request.root, &request.id)?;
    let mut site = Site::make(&request.root, &request.id, &request.cgroup)?;
    site.look_ahead();
    Ok(site)
}

pub(super) fn refused(text: &str) -> LaunchError {
    LaunchError::Runtime(text.to_owned())
}

fn hold_workload(
    link: &Link,
    signals: &SignalFd,
    request: &CreateRequest,
    stdio: Option<[OwnedFd; 3]>,
    site: Option<Site>,
) -> Result<(), LaunchError> {
    let wired = Wired::new(&request.stdio, stdio)?;
    let order = Order {
        id: request.id.clone(),
        root: &request.root,
        bundle: &request.bundle,
        stdio: wired.theirs,
        terminal: Terminal::Kept,
        preserved_descriptors: 0,
        no_pivot: request.no_pivot,
        held: true,
        pumped: wired.pumped,
    };
    let created = match site {
        Some(site) => create_at(order, site)?,
        None => {
            forget_ended(&request.root, &request.id)?;
            create(order)?
        }
    };
    let mut streams = wired.ours;
    let container = created.container;
    let ready = streams
        .take_terminal(&request.stdio, created.master)
        .and_then(|()| listen(container.dir()));
    let listener = match ready {
        Ok(listener) => listener,
        Err(error) => {
            container.delete(true)?;
            return Err(error);
        }
    };
    let made = Made {
        process: created.init,
        cgroups: created.cgroups,
        warnings: created.warnings,
    };
    // An agent that is gone leaves it to the next one to start the workload.
    let _ = link.send(&Report::Made(made), &[created.pidfd.as_fd()]);
    drop(created.pidfd);

    let (mut running, mut maker) = (container.clone(), created.maker);
    let mut holder = Holder {
        signals,
        link: Some(link),
        listener,
        process: created.init,
        phase: Phase::Created,
        streams,
        clients: Vec::new(),
        expects_client: None,
        at_rest: false,
        rest: REST,
        start: Box::new(move || maker.await_end().and_then(|()| running.start())),
    };
    let mut exit = holder.hold().map_err(lost)?;
    if !created.has_own_pids {
        // Processes that outlived the first one end with it, and had things to say too.
        container.cgroups().kill()?;
    }
    holder.drain();
    exit.oom_killed = oom_killed(container.cgroups());
    finish(&holder.streams, &mut exit, container.dir(), &request.id)?;
    holder.tell(&exit);
    let mut container = container;
    // Who was about to join goes, too.
    container.clear()?;
    container.record_end()?;
    // An agent that is gone reads `state.json`.
    let _ = link.send(&Report::Cleared, &[]);
    holder.part();
    Ok(())
}

/// A workload that is started again has the same id.
fn forget_ended(root: &Path, id: &Id) -> Result<(), LaunchError> {
    match Container::open(root, id) {
        Ok(container) if container.state().phase == Phase::Stopped => container.delete(false),
        // That it runs is found out, and told, when it is made.
        Ok(_) | Err(LaunchError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn hold_joined(
    link: &Link,
    signals: &SignalFd,
    request: &JoinRequest,
    stdio: Option<[OwnedFd; 3]>,
) -> Result<(), LaunchError> {
    let container = Container::open(&request.root, &request.id)?;
    let dir = StateDir::new(&container.dir().execs(), &request.exec);
    let wired = Wired::new(&request.stdio, stdio)?;
    let mut joiner = Joiner {
        id: request.exec.clone(),
        process: None,
        shim: Process::myself().map_err(lost)?,
        pumped: wired.pumped,
        created: now(),
    };
    dir.make(&request.exec, &joiner)?;
    let undone = |error: LaunchError| match dir.remove() {
        Ok(()) => error,
        Err(source) => LaunchError::State {
            id: request.exec.clone(),
            source,
        },
    };
    let process = read_process(&request.process).map_err(undone)?;
    let joined = join(JoinOrder {
        container: &container,
        process,
        stdio: wired.theirs,
        terminal: Terminal::Kept,
        preserved_descriptors: 0,
        ignore_paused: request.ignore_paused,
        announced_in: Some(dir.path()),
    })
    .map_err(undone)?;
    let mut streams = wired.ours;
    joiner.process = Some(joined.process);
    let settle_in = || {
        streams.take_terminal(&request.stdio, joined.master)?;
        let written = dir.write_record(&joiner);
        written.map_err(|source| LaunchError::State {
            id: request.exec.clone(),
            source,
        })?;
        listen(&dir)
    };
    let listener = settle_in().map_err(|error| {
        // Nobody would see it end.
        let _ = joined.process.signal(Signal::KILL);
        undone(error)
    })?;
    let made = Made {
        process: joined.process,
        cgroups: container.cgroups().keys(),
        warnings: joined.warnings,
    };
    let descriptors: Vec<_> = joined.pidfd.iter().map(AsFd::as_fd).collect();
    // An agent that is gone leaves it to run.
    let _ = link.send(&Report::Made(made), &descriptors);
    let mut holder = Holder {
        signals,
        link: Some(link),
        listener,
        process: joined.process,
        phase: Phase::Running,
        streams,
        clients: Vec::new(),
        expects_client: request.expects_client.then(|| Instant::now() + FAREWELL),
        at_rest: false,
        rest: REST,
        start: Box::new(|| Err(refused("it runs already"))),
    };
    let mut exit = holder.hold().map_err(lost)?;
    holder.linger().map_err(lost)?;
    holder.drain();
    finish(&holder.streams, &mut exit, &dir, &request.exec)?;
    holder.tell(&exit);
    holder.part();
    Ok(())
}

pub(super) fn lost(source: io::Error) -> LaunchError {
    let what = "the shim cannot go on";
    LaunchError::Process { what, source }
}

fn read_process(path: &Path) -> Result<libcontainer::oci_spec::runtime::Process, LaunchError> {
    let process = state_dir::read(path);
    let process = process.and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()));
    process.map_err(|source| LaunchError::Process {
        what: "cannot read the process to join",
        source,
    })
}

/// The exit on disk, before anybody is told.
fn finish(streams: &Streams, exit: &mut Exit, dir: &StateDir, id: &Id) -> Result<(), LaunchError> {
    exit.log_lines_lost = streams.log.as_ref().map_or(0, Log::lost);
    dir.write_exit(exit).map_err(|source| LaunchError::State {
        id: id.clone(),
        source,
    })
}

fn listen(dir: &StateDir) -> Result<std::os::unix::net::UnixListener, LaunchError> {
    let path = dir.file(SOCKET);
    let made = (|| {
        let listener = console::listen(dir.path(), SOCKET)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })();
    made.map_err(|source| LaunchError::Write { path, source })
}

/// As the controller counted; asked before the cgroup goes.
fn oom_killed(cgroups: &Cgroups) -> bool {
    let Some(directory) = cgroups.of(Controller::Memory) else {
        return false;
    };
    ["memory.events", "memory.oom_control"].iter().any(|file| {
        let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.is_some_and(|count| count != "0")
    })
}
