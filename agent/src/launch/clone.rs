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

/// A process, and its pidfd.
pub(super) type Cloned = (Pid, OwnedFd);

/// A child, born in a cgroup of cgroup2 if one is given. `None` in the process that comes of it.
pub(super) fn child(cgroup: Option<BorrowedFd<'_>>) -> io::Result<Option<Cloned>> {
    let mut arguments = Arguments {
        exit_signal: nix::libc::SIGCHLD.unsigned_abs().into(),
        ..Arguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    clone(arguments)
}

/// A sibling: a child of this process's parent. `None` in the process that comes of it.
pub(super) fn sibling() -> io::Result<Option<Cloned>> {
    clone(Arguments {
        flags: CLONE_PARENT,
        ..Arguments::default()
    })
}

fn clone(mut arguments: Arguments) -> io::Result<Option<Cloned>> {
    let mut pidfd: i32 = -1;
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    // SAFETY: memory is not shared with the process that comes of it, which goes on here with a copy of
    // the only thread; the arguments are as long as they say, and the pidfd's place is there until it returns.
    let pid = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_clone3,
            &raw const arguments,
            size_of::<Arguments>(),
        )
    };
    match i32::try_from(pid).map(|pid| (pid, Pid::from_raw(pid))) {
        Ok((0, _)) => Ok(None),
        // SAFETY: the kernel made it for this process, and nobody else knows of it.
        Ok((1.., Some(pid))) => Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))),
        _ => Err(io::Error::last_os_error()),
    }
}
