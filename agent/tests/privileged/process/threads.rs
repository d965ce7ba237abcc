//! Processes of several threads end once, with the right status.
#![allow(clippy::unwrap_used)]

use std::ffi::{c_int, c_void};

use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::exit;
use crate::support::{Agent, Settings};

/// What `clone` takes to make a thread.
fn thread() -> CloneFlags {
    CloneFlags::CLONE_VM
        | CloneFlags::CLONE_FS
        | CloneFlags::CLONE_FILES
        | CloneFlags::CLONE_SIGHAND
        | CloneFlags::CLONE_THREAD
        | CloneFlags::CLONE_SYSVSEM
}

/// Starts a thread in a forked child, with nothing but system calls: no allocator, no locks.
fn start(stack: &mut [u8], entry: extern "C" fn(*mut c_void) -> c_int) {
    let top = stack.as_mut_ptr_range().end.cast::<c_void>();
    // SAFETY: the stack is the caller's, who does not return; `entry` touches no memory of others.
    let tid = unsafe { libc::clone(entry, top, thread().bits(), std::ptr::null_mut()) };
    assert!(tid > 0);
}

fn sleep_ms(milliseconds: i64) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: milliseconds * 1_000_000,
    };
    // SAFETY: `time` is valid, and no remainder is asked for.
    unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
}

/// Ends the calling thread alone.
fn end_thread(code: c_int) -> ! {
    // SAFETY: exit(2) has no preconditions.
    unsafe { libc::syscall(libc::SYS_exit, code) };
    unreachable!("exit(2) does not return")
}

extern "C" fn outlive_the_leader(_: *mut c_void) -> c_int {
    sleep_ms(100);
    // SAFETY: exit_group(2) has no preconditions.
    unsafe { libc::_exit(5) }
}

extern "C" fn wait_for_the_end(_: *mut c_void) -> c_int {
    loop {
        sleep_ms(900);
    }
}

/// Forks, lets the child do `work`, and reaps it.
fn run(work: fn() -> !) -> (u32, WaitStatus) {
    // SAFETY: the child makes system calls only.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => work(),
        ForkResult::Parent { child } => (pid(child), waitpid(child, None).unwrap()),
    }
}

fn pid(process: Pid) -> u32 {
    u32::try_from(process.as_raw()).unwrap()
}

#[test]
fn a_process_whose_leader_went_first_ends_once() {
    let test = "a_process_whose_leader_went_first_ends_once";
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let (pid, status) = run(|| {
        start(&mut [0; 16_384], outlive_the_leader);
        end_thread(7)
    });
    assert!(matches!(status, WaitStatus::Exited(_, 5)), "{status:?}");
    assert_eq!(exit(&agent, pid)["code"], 5);
}

#[test]
fn threads_that_end_together_are_one_exit() {
    let test = "threads_that_end_together_are_one_exit";
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let mut pids = Vec::new();
    for _ in 0..100 {
        let (pid, status) = run(|| {
            let mut stacks = [[0_u8; 4_096]; 48];
            for stack in &mut stacks {
                start(stack, wait_for_the_end);
            }
            // SAFETY: exit_group(2) has no preconditions.
            unsafe { libc::_exit(6) }
        });
        assert!(matches!(status, WaitStatus::Exited(_, 6)), "{status:?}");
        pids.push(pid);
    }
    let last = pids.last().copied();
    agent.event(&["event=exit"], |event| {
        event["tgid"].as_u64() == last.map(u64::from)
    });
    agent.next_tick();
    let exits = agent.events(&["event=exit"]);
    for pid in pids {
        let own: Vec<_> = exits.iter().filter(|event| event["tgid"] == pid).collect();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!(own[0]["code"], 6);
    }
}
