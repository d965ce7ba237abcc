//! A process cloned from this one, which has one thread.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;

/// include/uapi/linux/sched.h
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` (include/uapi/linux/sched.h, v5.7).
#[derive(Default)]
#[repr(C)]
struct Arguments {
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
const _: () = assert!(size_of::<Arguments>() == 88);

/// A child, born in a cgroup of cgroup2 if one is given. `None` in the process that comes of it.
pub(super) fn child(cgroup: Option<BorrowedFd<'_>>) -> io::Result<Option<Pid>> {
    let mut arguments = Arguments {
        exit_signal: nix::libc::SIGCHLD.unsigned_abs().into(),
        ..Arguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    clone(&arguments)
}

/// A sibling: a child of this process's parent; with its pidfd. `None` in the process that comes of it.
pub(super) fn sibling() -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut pidfd: i32 = -1;
    let arguments = Arguments {
        flags: CLONE_PARENT | CLONE_PIDFD,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        ..Arguments::default()
    };
    let pid = clone(&arguments)?;
    // SAFETY: the kernel made it for this process, and nobody else knows of it.
    Ok(pid.map(|pid| (pid, unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

fn clone(arguments: &Arguments) -> io::Result<Option<Pid>> {
    // SAFETY: memory is not shared with the process that comes of it, which goes on here with a copy of
    // the only thread; the arguments are as long as they say, and what they point to is the caller's.
    let pid = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_clone3,
            std::ptr::from_ref(arguments),
            size_of::<Arguments>(),
        )
    };
    match i32::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid) if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}
