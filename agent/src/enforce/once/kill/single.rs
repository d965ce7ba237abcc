//! One process of a workload.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::libc;
use tokio::time::timeout;

use super::{DEATH, Ladder, brief, is_kill, name};
use crate::cgroup::{Control, Knob, Setting};
use crate::enforce::once::errand::{Ending, blocking};
use crate::enforce::once::process::Process as Handle;
use crate::policy::Process;

/// Who is not gone by then gets help with freeing its memory.
const SLOW: Duration = Duration::from_millis(10);

pub(super) async fn kill(
    control: Arc<Control>,
    scope: Process,
    ladder: Ladder,
) -> Result<Ending, Ending> {
    let asked = Arc::clone(&control);
    let picked = blocking(move || match scope {
        Process::Largest => asked.largest_process(),
        Process::Main | Process::Cgroup => asked.main_process(),
    });
    let Some(pid) = picked.await? else {
        return Ok(Ending::done("none was left"));
    };
    if pid == std::process::id() {
        return Err(Ending::refused("it is the agent itself"));
    }
    let Some(one) = One::open(control, pid).await? else {
        return Ok(Ending::done(format!("process {pid} ended by itself")));
    };
    let mut ending = one.climb(ladder).await?;
    ending.before = Some(one.name);
    Ok(ending)
}

/// The process that was picked.
struct One {
    control: Arc<Control>,
    pid: u32,
    handle: Handle,
    /// `process 4711 (perl)`
    name: String,
}

impl One {
    /// `None`: gone.
    async fn open(control: Arc<Control>, pid: u32) -> Result<Option<Self>, Ending> {
        let Ok(handle) = Handle::open(pid) else {
            return Ok(None);
        };
        // Gone by now: then its number is all there is to say.
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let one = Self {
            control,
            pid,
            handle,
            name: format!("process {pid} ({})", comm.trim_end()),
        };
        // With the handle open the number is no one else's: whose was it?
        Ok(one.is_there().await?.then_some(one))
    }

    async fn climb(&self, ladder: Ladder) -> Result<Ending, Ending> {
        let Ladder {
            signal,
            grace,
            escalate,
        } = ladder;
        let first = name(signal);
        if is_kill(signal) {
            return Ok(match self.send(signal, DEATH).await? {
                Some(took) => self.ended(took, &first),
                None => self.stays(&first).await,
            });
        }
        if let Some(took) = self.send(signal, grace).await? {
            return Ok(self.ended(took, &first));
        }
        let Some(last) = escalate else {
            let text = format!("{first} sent; still there after {}", brief(grace));
            return Ok(Ending::done(text));
        };
        let last_name = name(last);
        if !self.is_there().await? && self.lives().await {
            let name = &self.name;
            let text = format!("{name} has left the workload; {last_name} is not sent");
            return Err(Ending::failed(text));
        }
        let Some(took) = self.send(last, DEATH).await? else {
            return Ok(self.stays(&last_name).await);
        };
        let mut ending = self.ended(took, &last_name);
        let ignored = format!("still there {} after {first}; ", brief(grace));
        ending.after = ending.after.map(|after| ignored + &after);
        Ok(ending)
    }

    /// Sends it, and waits for the end of the process; `None`: it lives on.
    async fn send(&self, signal: i32, limit: Duration) -> Result<Option<Duration>, Ending> {
        let start = Instant::now();
        if let Err(error) = self.handle.signal(signal) {
            // Whoever is its parent was faster.
            if error.raw_os_error() == Some(libc::ESRCH) {
                return Ok(Some(Duration::ZERO));
            }
            let what = name(signal);
            return Err(Ending::failed(format!("{what} to {}: {error}", self.name)));
        }
        let mut ended = timeout(limit.min(SLOW), self.handle.ended()).await;
        if ended.is_err() && limit > SLOW {
            if is_kill(signal) {
                self.handle.release_memory();
            }
            ended = timeout(limit.saturating_sub(SLOW), self.handle.ended()).await;
        }
        Ok(ended.is_ok().then(|| start.elapsed()))
    }

    async fn is_there(&self) -> Result<bool, Ending> {
        let (control, pid) = (Arc::clone(&self.control), self.pid);
        blocking(move || Ok(control.processes(true)?.contains(&pid))).await
    }

    async fn lives(&self) -> bool {
        timeout(Duration::ZERO, self.handle.ended()).await.is_err()
    }

    fn ended(&self, took: Duration, signal: &str) -> Ending {
        let (name, took) = (&self.name, brief(took));
        Ending::done(format!("{name} ended {took} after {signal}"))
    }

    async fn stays(&self, signal: &str) -> Ending {
        let control = Arc::clone(&self.control);
        let state = blocking(move || control.read(Knob::Freeze)).await;
        let why = match state {
            Ok(Setting::Freeze(true)) => ": its cgroup is frozen",
            _ => "",
        };
        let (name, waited) = (&self.name, brief(DEATH));
        Ending::failed(format!(
            "{name} is still there {waited} after {signal}{why}"
        ))
    }
}
