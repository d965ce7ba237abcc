//! All processes of a workload.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{DEATH, Ladder, brief, is_kill, name};
use crate::cgroup::{Control, ControlError, Knob, Setting};
use crate::enforce::once::errand::{Ending, blocking};

/// Looking costs a file or two; a cgroup of v1 tells nobody that it is empty.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(20);
/// Of two seconds each: a machine that is beside itself takes longer than one of them.
const TRIES: usize = 3;

pub(super) async fn kill(control: Arc<Control>, ladder: Ladder) -> Result<Ending, Ending> {
    let there = left(&control).await?;
    let mut ending = if there == 0 {
        Ending::done("none was left")
    } else {
        climb(&control, there, ladder).await?
    };
    ending.before = Some(processes(there));
    Ok(ending)
}

async fn climb(control: &Arc<Control>, there: usize, ladder: Ladder) -> Result<Ending, Ending> {
    let Ladder {
        signal,
        grace,
        escalate,
    } = ladder;
    let first = name(signal);
    if is_kill(signal) {
        return kill_all(control, "").await;
    }
    if escalate.is_some_and(is_kill) && is_frozen(control).await {
        let why = format!("frozen, so no time for {first}; ");
        return kill_all(control, &why).await;
    }
    send(control, signal).await?;
    let left = match wait(control, grace).await? {
        Gone::All(took) => return Ok(ended(there, took, &first)),
        Gone::Not(left) => left,
    };
    let Some(last) = escalate else {
        return Ok(Ending::done(format!(
            "{first} sent to {}; {left} left after {}",
            processes(there),
            brief(grace)
        )));
    };
    if is_kill(last) {
        let why = format!("{left} left {} after {first}; ", brief(grace));
        return kill_all(control, &why).await;
    }
    send(control, last).await?;
    let last = name(last);
    Ok(match wait(control, DEATH).await? {
        Gone::All(took) => ended(there, took, &last),
        Gone::Not(left) => Ending::failed(format!(
            "{left} of {} left {} after {last}",
            processes(there),
            brief(DEATH)
        )),
    })
}

/// SIGKILL, to those who fork meanwhile too, and their end.
async fn kill_all(control: &Arc<Control>, why: &str) -> Result<Ending, Ending> {
    let control = Arc::clone(control);
    let killed = blocking(move || {
        let _still = Still::hold(&control);
        for _ in 1..TRIES {
            match control.kill_all() {
                Err(ControlError::StillAlive { .. }) => {}
                ended => return ended,
            }
        }
        control.kill_all()
    });
    let killed = killed.await?;
    let mut ending = ended(killed.processes, killed.took, "SIGKILL");
    ending.after = ending.after.map(|after| format!("{why}{after}"));
    Ok(ending)
}

/// v1 has no kill for all at once. Whoever forks without end takes the CPUs from us and is gone when
/// a signal comes, so it is stopped before the first look, for as long as that takes.
struct Still<'a>(Option<&'a Control>);

impl<'a> Still<'a> {
    fn hold(control: &'a Control) -> Self {
        let file = control.files(Knob::Freeze);
        let on_v1 = file.iter().any(|file| file.ends_with("freezer.state"));
        let frozen = matches!(control.read(Knob::Freeze), Ok(Setting::Freeze(true)));
        if !on_v1 || frozen {
            return Self(None);
        }
        if let Err(error) = control.write(&Setting::Freeze(true)) {
            tracing::debug!(%error, "not stopped before the kill");
        }
        Self(Some(control))
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        // The killed were let go; who could not be killed is, too. Gone is as good.
        if let Some(control) = self.0
            && let Err(error) = control.write(&Setting::Freeze(false))
        {
            tracing::debug!(%error, "not thawed after the kill");
        }
    }
}

/// A frozen process heeds a signal only when somebody thaws it.
async fn is_frozen(control: &Arc<Control>) -> bool {
    let control = Arc::clone(control);
    let state = blocking(move || control.read(Knob::Freeze)).await;
    matches!(state, Ok(Setting::Freeze(true)))
}

async fn send(control: &Arc<Control>, signal: i32) -> Result<usize, Ending> {
    let control = Arc::clone(control);
    blocking(move || control.signal_all(signal)).await
}

async fn left(control: &Arc<Control>) -> Result<usize, Ending> {
    let control = Arc::clone(control);
    blocking(move || Ok(control.processes(true)?.len())).await
}

enum Gone {
    /// So long after the wait began.
    All(Duration),
    /// So many are left.
    Not(usize),
}

async fn wait(control: &Arc<Control>, at_most: Duration) -> Result<Gone, Ending> {
    let start = Instant::now();
    let mut look = FIRST_LOOK;
    loop {
        let left = left(control).await?;
        let waited = start.elapsed();
        if left == 0 {
            return Ok(Gone::All(waited));
        }
        let Some(rest) = at_most.checked_sub(waited).filter(|rest| !rest.is_zero()) else {
            return Ok(Gone::Not(left));
        };
        sleep(look.min(rest)).await;
        look = (look * 2).min(LAST_LOOK);
    }
}

fn ended(number: usize, took: Duration, signal: &str) -> Ending {
    let (number, took) = (processes(number), brief(took));
    Ending::done(format!("{number} ended {took} after {signal}"))
}

fn processes(number: usize) -> String {
    let noun = if number == 1 { "process" } else { "processes" };
    format!("{number} {noun}")
}
