//! A network namespace that stands for the host's, as long as this is held.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::host;

pub(crate) struct Network(File);

impl Network {
    /// One with loopback alone.
    pub(crate) fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            host::stdout(Command::new("ip").args(["link", "set", "lo", "up"]));
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self(made.join().unwrap())
    }

    /// A program to be started in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let (pid, number) = (std::process::id(), self.0.as_raw_fd());
        command.arg(format!("--net=/proc/{pid}/fd/{number}"));
        command.arg(program);
        command
    }

    /// Does something in it.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            done.join().unwrap()
        })
    }
}
