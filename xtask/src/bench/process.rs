//! Processes that the bench starts: what they use, and that they end with it.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::interrupt;

/// How long a process may take to end when it is told to.
const END: Duration = Duration::from_secs(10);

/// A process of ours: told to end, then killed, when this is dropped.
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts it; what it prints goes to `log`, without which to nowhere.
    pub(crate) fn start(name: &str, command: &mut Command, log: Option<&File>) -> Result<Self> {
        let output = || -> Result<Stdio> {
            Ok(match log {
                Some(log) => log.try_clone().context("cannot share the log")?.into(),
                None => Stdio::null(),
            })
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            child,
            name: name.to_owned(),
        })
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// SIGKILL, and waits for its end.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill")?;
        self.child.wait().context("cannot wait")?;
        Ok(())
    }

    /// Fails when it ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("cannot wait")? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}", self.name),
        }
    }

    /// CPU time of all its threads, those that ended included; the clock `utime` and `stime` are
    /// made of, in nanoseconds.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(self.pid()).with_context(|| format!("{} has no CPU clock", self.name))
    }

    /// See [`status_bytes`].
    pub(crate) fn status_bytes(&self, field: &str) -> Result<u64> {
        status_bytes(self.pid(), field)
    }

    pub(crate) fn open_files(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.pid());
        Ok(fs::read_dir(&path)
            .with_context(|| format!("cannot read {path}"))?
            .count())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already is as good as told to end.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let end = Instant::now() + END;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("bench: {} did not end on SIGTERM and is killed", self.name);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and those it started, as of now.
pub(crate) struct Tree {
    pids: Vec<Pid>,
}

impl Tree {
    pub(crate) fn of(process: &Process) -> Self {
        let mut pids = vec![process.pid()];
        let mut at = 0;
        while let Some(pid) = pids.get(at) {
            let path = format!("/proc/{pid}/task");
            let tasks = fs::read_dir(path).into_iter().flatten().flatten();
            let children = tasks
                .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
                .collect::<Vec<_>>()
                .concat();
            pids.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse().ok().map(Pid::from_raw)),
            );
            at += 1;
        }
        Self { pids }
    }

    /// CPU time of all that are still there.
    pub(crate) fn cpu(&self) -> Duration {
        self.pids.iter().filter_map(|pid| cpu(*pid).ok()).sum()
    }

    /// Sum over all; pages that they share count each time.
    pub(crate) fn status_bytes(&self, field: &str) -> u64 {
        let bytes = |pid: &Pid| status_bytes(*pid, field).ok();
        self.pids.iter().filter_map(bytes).sum()
    }

    /// Share of one core that they use while `wait` lasts.
    pub(crate) fn cores_during(&self, wait: Duration) -> Result<f64> {
        let (began, before) = (Instant::now(), self.cpu());
        interrupt::sleep(wait)?;
        let used = self.cpu().saturating_sub(before);
        Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
    }
}

fn cpu(pid: Pid) -> Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(pid).context("no CPU clock")?;
    Ok(clock_gettime(clock)
        .context("cannot read a CPU clock")?
        .into())
}

/// A field of `/proc/<pid>/status` that is in kB, as bytes: `VmRSS`, `VmHWM`.
fn status_bytes(pid: Pid, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .with_context(|| format!("{path} has no {field}"))?;
    Ok(kib * 1024)
}
