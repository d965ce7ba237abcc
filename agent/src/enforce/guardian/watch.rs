//! The guardian's side. One thread, no runtime, nothing read before it is needed.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{getppid, setsid};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{GOODBYE, READY};
use crate::cgroup::Layout;
use crate::enforce::Outcome;
use crate::enforce::claims::Claimed;
use crate::enforce::hands::{Kernel, in_one_line};
use crate::enforce::hold::{EffectState, GivenBack, Hold};
use crate::enforce::journal::Returned;

/// How long somebody else may hold the journal: then it is the next agent, which gives back itself.
const LOCK: Duration = Duration::from_secs(2);
/// How long memory may take to get below a limit that comes back, in all and at a time.
const GIVE_BACK: Duration = Duration::from_secs(30);
const ROUND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Watches over the agent `agent_pid`, its parent, which holds the other end of standard input.
/// Returns when there is nothing left to do.
///
/// # Errors
/// What was held could not be given back.
pub fn run(state_dir: &Path, agent_pid: u32) -> Result<(), String> {
    hold_out();
    let input = io::stdin().as_fd().try_clone_to_owned();
    let socket = UnixStream::from(input.map_err(|error| error.to_string())?);
    if !wait_for_end(socket, agent_pid).map_err(|error| error.to_string())? {
        return Ok(());
    }
    give_back(state_dir)
}

/// Signals that are meant for the agent, which share its terminal or its unit, do not end it.
fn hold_out() {
    for ignored in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
    ] {
        // SAFETY: ignoring has no handler that could do harm.
        // It fails for signals that cannot be ignored only.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    // It fails for the leader of a group, which no child is.
    let _ = setsid();
    // Without the privilege it is as likely to be killed as the agent.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
}

/// `true`: the agent is gone without a goodbye.
fn wait_for_end(mut socket: UnixStream, agent_pid: u32) -> io::Result<bool> {
    let pid = i32::try_from(agent_pid).ok().and_then(Pid::from_raw);
    // Gone before it could be watched; or a kernel without (before 5.3), where the socket must do.
    let agent: Option<OwnedFd> = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let is_parent = u32::try_from(getppid().as_raw()) == Ok(agent_pid);
    if !is_parent {
        return Ok(true);
    }
    socket.write_all(&[READY])?;
    let mut listening = true;
    loop {
        let mut watched = Vec::new();
        if let Some(agent) = &agent {
            watched.push(PollFd::new(agent.as_fd(), PollFlags::POLLIN));
        }
        if listening {
            watched.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let came = |at: &PollFd<'_>| at.any().unwrap_or(false);
        let ended = agent.is_some() && watched.first().is_some_and(came);
        let spoke = listening && watched.last().is_some_and(came);
        if spoke {
            let mut word = [0];
            match socket.read(&mut word) {
                Ok(1) if word == [GOODBYE] => return Ok(false),
                // Nobody will say anything any more. The process may live on a little.
                Ok(0) | Err(_) if agent.is_some() => listening = false,
                Ok(0) | Err(_) => return Ok(true),
                Ok(_) => {}
            }
        }
        if ended {
            return Ok(true);
        }
    }
}

/// Again and again while memory is in the way of a limit, without the lock between: the next agent
/// goes before.
fn give_back(state_dir: &Path) -> Result<(), String> {
    let layout = Layout::detect().map_err(|error| in_one_line(&error))?;
    let layout = Arc::new(layout);
    let deadline = Instant::now() + GIVE_BACK;
    loop {
        let kernel = Kernel::new(Arc::clone(&layout));
        let mut hold = Hold::new(kernel, state_dir.to_owned());
        match hold.take_up(LOCK) {
            Ok(Some(_)) => {}
            // Nothing was ever held.
            Ok(None) => return Ok(()),
            Err(error) => {
                say(&format!("{}; it will give back", in_one_line(&error)));
                return Ok(());
            }
        }
        let given_back = hold.give_back_all(ROUND);
        say(&format!(
            "the agent is gone; {} limits given back",
            given_back.iter().filter(|one| one.result.is_ok()).count()
        ));
        hold.leave_word(given_back.iter().flat_map(words).collect());
        if !hold.is_owing() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("not all could be given back; the next agent tries again".to_owned());
        }
        drop(hold);
        std::thread::sleep(PAUSE);
    }
}

fn words(given_back: &GivenBack) -> Vec<Returned> {
    let (outcome, after) = match &given_back.result {
        Ok(effect) => {
            let outcome = match &effect.state {
                EffectState::InForce | EffectState::Behind => Outcome::Restored,
                EffectState::UnderWay(reason) => Outcome::Deferred(reason.clone()),
                EffectState::Yielded => {
                    Outcome::Yielded(format!("somebody else set {}", effect.after))
                }
            };
            (outcome, effect.after.to_string())
        }
        Err(error) => (Outcome::Failed(in_one_line(error)), String::new()),
    };
    let word = |claimed: &Claimed| Returned {
        time: SystemTime::now(),
        claimant: claimed.claimant.clone(),
        workload: Arc::clone(&given_back.held.owner.id),
        name: Arc::clone(&given_back.held.owner.name),
        thing: given_back.slot().thing,
        before: given_back.held.in_force.to_string(),
        after: after.clone(),
        outcome: outcome.clone(),
    };
    given_back.gone.iter().map(word).collect()
}

fn say(text: &str) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "plimsoll guardian: {text}");
}
