//! Many processes that do next to nothing, but do it all the time.

use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, fork};

use super::{Kind, lines, spawn};

/// Time between two wake-ups: five a second.
const NAP: Duration = Duration::from_millis(200);

/// One sleeping process for each cgroup; all end on drop.
pub(crate) struct Sleepers {
    parent: Child,
    pub(crate) pids: Vec<u32>,
}

impl Sleepers {
    pub(crate) fn start(count: usize) -> Result<Self> {
        let parent = spawn(Kind::Sleepers, count as u64, std::path::Path::new("."))?;
        let mut sleepers = Self {
            parent,
            pids: Vec::with_capacity(count),
        };
        for line in lines(&mut sleepers.parent).take(count) {
            let line = line.context("cannot read the sleepers' pids")?;
            sleepers.pids.push(line.parse().context("not a pid")?);
        }
        if sleepers.pids.len() < count {
            bail!("only {} of {count} sleepers started", sleepers.pids.len());
        }
        Ok(sleepers)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        // They are tied to their parent.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

/// The parent: forks, prints the children's pids, and waits to be ended.
pub(super) fn run(count: u64) -> Result<()> {
    for _ in 0..count {
        // SAFETY: this process has one thread, so the child may do anything.
        match unsafe { fork() }.context("cannot fork")? {
            ForkResult::Parent { child } => println!("{child}"),
            ForkResult::Child => return nap(),
        }
    }
    loop {
        std::thread::park();
    }
}

fn nap() -> Result<()> {
    // A fork does not inherit this one.
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie a sleeper to its parent")?;
    loop {
        std::thread::sleep(NAP);
    }
}
