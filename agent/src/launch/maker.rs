//! The process that `libcontainer` runs in: born in the workload's cgroups, gone when its work is done.
//!
//! `libcontainer` 0.7.0 moves processes by their pid. That takes `cgroup_threadgroup_rwsem` for writing,
//! which waits for an RCU grace period (kernel/cgroup/cgroup.c `cgroup_procs_write_start()`, v6.12): 9 ms
//! where a second has 250 ticks. Neither a birth in a cgroup of cgroup2 nor a thread that moves itself by v1's
//! `tasks` does. So the maker is where it is to be, and unless the workload would notice,
//! `libcontainer` sees no hierarchy to move it in: see `apart`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use super::LaunchError;
use super::cgroups::Cgroups;

/// include/uapi/linux/sched.h
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Before the pid of what was made; no error begins so.
const MADE: &str = "\0";
/// Of what a maker tells; a pipe holds 16 pages, and never less than one.
const LONGEST: usize = 4096;

/// `struct clone_args` (include/uapi/linux/sched.h, v5.7).
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}
const _: () = assert!(size_of::<CloneArguments>() == 88);

/// Aborts when it is dropped: the maker must not go on as if it were the process it was cloned from.
struct NoWayBack;

impl Drop for NoWayBack {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Does the work in a maker, and waits until that has ended; the outcome is a pid. To be called in a process
/// with one thread, which becomes a subreaper: what the work leaves is its child.
///
/// `enters_all`: it enters the v1 hierarchies that `libcontainer` knows, too.
///
/// # Errors
/// The cgroup lets no process in, or what the work failed for, in its words.
pub(super) fn make(
    cgroups: &Cgroups,
    enters_all: bool,
    work: impl FnOnce() -> Result<i32, LaunchError>,
) -> Result<u32, LaunchError> {
    let failed = |source| LaunchError::Process {
        what: "cannot make a process in the workload's cgroup",
        source,
    };
    let birthplace = cgroups.birthplace().map(open_directory).transpose();
    let birthplace = birthplace.map_err(failed)?;
    // What the maker makes keeps the other end open for longer than it lives.
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (told, outcome) = pipe_with(flags).map_err(|errno| failed(errno.into()))?;
    set_child_subreaper(Some(getpid())).map_err(|errno| failed(errno.into()))?;
    let Some(maker) = clone_into(birthplace.as_ref()).map_err(failed)? else {
        let no_way_back = NoWayBack;
        let entered = cgroups.enter_v1(enters_all).map_err(LaunchError::from);
        let done = entered.and_then(|()| work());
        let text = match done {
            Ok(pid) => format!("{MADE}{pid}"),
            Err(LaunchError::Runtime(text)) => text,
            Err(error) => error.with_causes(),
        };
        // Shorter than a pipe holds: this neither blocks nor is cut.
        let text = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
        // Whoever waited is gone, then: the next one finds what was made.
        let _ = File::from(outcome).write_all(text);
        std::mem::forget(no_way_back);
        // SAFETY: it ends this process; what is to be done at an exit is its parent's to do.
        unsafe { nix::libc::_exit(0) }
    };
    await_end(maker).map_err(failed)?;
    let mut text = vec![0; LONGEST];
    let length = File::from(told).read(&mut text).unwrap_or(0);
    text.truncate(length);
    let text = String::from_utf8_lossy(&text);
    match text.strip_prefix(MADE).map(str::parse) {
        Some(Ok(pid)) => Ok(pid),
        Some(Err(_)) => Err(LaunchError::Runtime("no process came of it".to_owned())),
        None if text.is_empty() => Err(LaunchError::Runtime("its maker was killed".to_owned())),
        None => Err(LaunchError::Runtime(text.into_owned())),
    }
}

fn open_directory(path: PathBuf) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// `None` in the process that came of it.
fn clone_into(cgroup: Option<&OwnedFd>) -> io::Result<Option<Pid>> {
    let mut arguments = CloneArguments {
        exit_signal: nix::libc::SIGCHLD.unsigned_abs().into(),
        ..CloneArguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    // SAFETY: memory is not shared with the process that comes of it, which goes on here with a copy of
    // the only thread; the arguments are as long as they say.
    let pid = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_clone3,
            &raw const arguments,
            size_of::<CloneArguments>(),
        )
    };
    match i32::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid) if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn await_end(maker: Pid) -> io::Result<()> {
    loop {
        match waitpid(Some(maker), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            ended => return Ok(ended.map(drop)?),
        }
    }
}
