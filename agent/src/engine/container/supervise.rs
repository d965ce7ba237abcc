//! Who watches a running container: until it ends, and when it is to be started again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::EngineError;
use super::cell::Cell;
use super::handle::Engine;
use super::model::Phase;
use super::readiness::readable;
use super::restart::{self, Decision};
use crate::launch::shim::{Held, Kind, Line};
use crate::launch::{Exit, Fate, Process, settle_one};

const CHUNK: usize = 4 * 1024;
/// The exit code of which nobody knows.
const UNKNOWN: u8 = 255;

/// How a running container is watched.
pub(super) enum Hold {
    /// By its shim, which this agent started.
    Shim(Held),
    /// By its shim, which an earlier agent started.
    Line(Line),
    /// It has no shim any more, or that is ending: then this is the shim.
    Alone(Process),
}

/// Who still clears away what has ended.
pub(super) enum Clearing {
    /// Nobody: that is done.
    Done,
    /// Its shim, which tells on this link when it is done.
    Shim(Held),
    /// Its shim, which hangs up when it is done.
    Line(UnixStream),
}

impl Engine {
    /// Watches it from now on, until it has ended and is not started again.
    pub(super) fn supervise(&self, cell: Arc<Cell>, hold: Hold) {
        let engine = self.clone();
        self.check_health(&cell);
        self.shared.tasks.spawn(async move {
            let token = engine.shared.token.clone();
            // Containers go on without the agent.
            let (exit, clearing) = tokio::select! {
                () = token.cancelled() => return,
                ended = engine.exit_of(&cell, hold) => ended,
            };
            engine.ended(&cell, exit, clearing).await;
        });
    }

    /// Waits for its end, however it is watched.
    async fn exit_of(&self, cell: &Cell, mut hold: Hold) -> (Exit, Clearing) {
        let settled = |exit| (exit, Clearing::Done);
        loop {
            let seen = match hold {
                Hold::Shim(mut held) => match self.exit_of_held(&mut held).await {
                    Ok(Some(exit)) => Ok(Some((exit, Clearing::Shim(held)))),
                    unseen => {
                        self.reap_later(held);
                        unseen.map(|_| None)
                    }
                },
                Hold::Line(line) => exit_of_line(line).await,
                Hold::Alone(process) => ended_alone(process).await.map(|()| None),
            };
            match seen {
                Ok(Some(ended)) => return ended,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(container = %cell.id, %error, "container not watched");
                }
            }
            let id = cell.id.clone();
            let fate = self.blocking(move |shared| Ok(settle_one(&shared.workloads(), &id)?));
            hold = match fate.await {
                Ok(Fate::Ended(exit)) => return settled(exit),
                Ok(Fate::Adopted(state)) => match state.init {
                    Some(process) => Hold::Alone(process),
                    None => return settled(unknown()),
                },
                Ok(Fate::Undone | Fate::Foreign(_)) => return settled(unknown()),
                Ok(Fate::Held(state)) => match (self.line(cell).await, state.shim) {
                    (Some(line), _) => Hold::Line(line),
                    // It ends at this moment.
                    (None, Some(shim)) => Hold::Alone(shim),
                    (None, None) => return settled(unknown()),
                },
                Err(error) => {
                    tracing::error!(container = %cell.id, error = error.with_causes(), "not settled");
                    return settled(unknown());
                }
            };
        }
    }

    pub(super) async fn exit_of_held(&self, held: &mut Held) -> io::Result<Option<Exit>> {
        heard(held).await?;
        // There is an answer now, or there is none to come.
        let exit = held.wait().ok();
        if exit.is_none() {
            // A killed shim hangs up before it is dead, and is not settled until then.
            readable(held.shim())?.readable().await?.retain_ready();
        }
        Ok(exit)
    }

    /// It may have slow clients to tell.
    pub(super) fn reap_later(&self, held: Held) {
        self.shared.tasks.spawn(async move {
            let shim = readable(held.shim());
            let ended = async { shim?.readable().await.map(drop) };
            match ended.await {
                Ok(()) => drop(held.reap()),
                Err(error) => tracing::debug!(%error, "shim not reaped"),
            }
        });
    }

    /// A line to the shim of a workload; `None`: it is gone by now.
    pub(super) async fn line(&self, cell: &Cell) -> Option<Line> {
        let id = cell.id.clone();
        let opened = self.blocking(move |shared| {
            let state = shared.workloads().join(id.as_str());
            let line = Line::open(&state, &Default::default());
            line.map_err(EngineError::io("call the shim in", &state))
        });
        opened.await.ok()
    }

    /// Records its end, tells it, clears away what is left, and goes on as its restart policy says.
    pub(super) async fn ended(&self, cell: &Arc<Cell>, exit: Exit, clearing: Clearing) {
        let decision = {
            // Verbs that count on its being cleared away wait for this.
            let _verb = cell.verb.lock().await;
            let decision = self.record_end(cell, exit).await;
            if decision == Decision::Remove {
                // Nobody has to wait for what nobody can see any more.
                self.forget(cell);
            }
            self.cleared(cell, clearing).await;
            let own = Arc::clone(cell);
            let done = self.blocking(move |shared| match decision {
                Decision::Remove => shared.clear(&own, true),
                Decision::Rest | Decision::Restart(_) => {
                    shared.parts.release(&own.settings());
                    Ok(())
                }
            });
            if let Err(error) = done.await {
                tracing::error!(container = %cell.id, error = error.with_causes(), "not cleared away");
            }
            decision
        };
        if let Decision::Restart(delay) = decision {
            self.restart_after(cell, delay).await;
        }
    }

    /// Waits until nothing of its last run is left, whoever was killed meanwhile.
    async fn cleared(&self, cell: &Cell, clearing: Clearing) {
        match clearing {
            Clearing::Done => return,
            Clearing::Shim(mut held) => {
                let is_done = heard(&held).await.is_ok() && held.wait_cleared().is_ok();
                self.reap_later(held);
                if is_done {
                    return;
                }
            }
            Clearing::Line(mut stream) => {
                let mut rest = [0; CHUNK];
                while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {}
            }
        }
        let id = cell.id.clone();
        let settled = self.blocking(move |shared| Ok(settle_one(&shared.workloads(), &id)?));
        if let Err(error) = settled.await {
            tracing::error!(container = %cell.id, error = error.with_causes(), "not settled");
        }
    }

    async fn record_end(&self, cell: &Arc<Cell>, exit: Exit) -> Decision {
        let before = cell.record();
        let own = Arc::clone(cell);
        let code = exit.code;
        let oom_killed = exit.oom_killed;
        let counters = &self.shared.counters;
        counters.lost_shims.add(u64::from(exit.unseen));
        counters.lost_log_lines.add(exit.log_lines_lost);
        if exit.log_lines_lost > 0 {
            let lost = exit.log_lines_lost;
            tracing::warn!(container = %cell.id, lost, "lines of output did not get into the log");
        }
        let recorded = self.blocking(move |shared| {
            // Its ports are free before anybody is told.
            let left = shared.parts.leave(&before.settings);
            let decision = match restart::after_exit(&before.settings, &before.life, &exit) {
                Decision::Remove if own.is_being_restarted() => Decision::Rest,
                decision => decision,
            };
            own.live(|life| {
                life.end(&exit);
                if let Decision::Restart(delay) = decision {
                    life.phase = Phase::Restarting;
                    life.restart_count += 1;
                    life.restart_delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                }
            });
            Ok((decision, left))
        });
        let (decision, left) = recorded.await.unwrap_or((Decision::Rest, Vec::new()));
        if oom_killed {
            self.shared.events.container(cell, "oom", &[]);
        }
        let ran = cell.record().life.ran_for().as_secs().to_string();
        let attributes = [("exitCode", code.to_string()), ("execDuration", ran)];
        self.shared.events.container(cell, "die", &attributes);
        self.shared.parts.tell_left(left);
        self.shared.events.volumes(cell, "unmount");
        decision
    }

    /// Starts it again after a delay, unless somebody stops, starts or removes it meanwhile.
    pub(super) async fn restart_after(&self, cell: &Arc<Cell>, delay: Duration) {
        let mut watch = cell.watch();
        let exits = watch.borrow().life.exits;
        let is_mine = |record: &super::model::Record| {
            record.life.phase == Phase::Restarting && record.life.exits == exits
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = watch.wait_for(|record| !is_mine(record)) => return,
            () = self.shared.token.cancelled() => return,
        }
        let _verb = cell.verb.lock().await;
        if !is_mine(&cell.record()) {
            return;
        }
        if let Err(error) = self.bring_up(cell, false).await {
            tracing::warn!(container = %cell.id, error = error.with_causes(), "not started again");
        }
    }
}

/// Waits until the shim has something to say, or is dead.
async fn heard(held: &Held) -> io::Result<()> {
    let (link, shim) = (readable(held)?, readable(held.shim())?);
    tokio::select! {
        ready = link.readable() => ready.map(drop),
        ready = shim.readable() => ready.map(drop),
    }
}

async fn exit_of_line(line: Line) -> io::Result<Option<(Exit, Clearing)>> {
    let (stream, mut frames) = line.into_stream();
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        while let Some(frame) = frames.next_frame().map_err(io::Error::other)? {
            if frame.kind == Kind::Exit {
                let exit = serde_json::from_slice(&frame.payload)?;
                return Ok(Some((exit, Clearing::Line(stream))));
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) => return Ok(None),
            Ok(length) => frames.push(chunk.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

async fn ended_alone(process: Process) -> io::Result<()> {
    let Some(pidfd) = process.open()? else {
        return Ok(());
    };
    readable(pidfd)?.readable().await.map(drop)
}

fn unknown() -> Exit {
    Exit {
        code: UNKNOWN,
        signal: None,
        oom_killed: false,
        unseen: true,
        log_lines_lost: 0,
        at: super::name::now(),
    }
}
