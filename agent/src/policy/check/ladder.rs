//! Ladders that contradict themselves or their policy.

use nix::libc::SIGKILL;

use super::bounds::is_above;
use super::limits::{Clash, clashes};
use super::ties::{Held, held};
use crate::policy::file::Problems;
use crate::policy::ladder::{Action, Hold, Revert, Scale};
use crate::policy::order::{Amount, Change, Limit, Once, Process, Wanted};
use crate::policy::set::{Policy, Rule};

/// `path` is the ladder's.
pub(super) fn check(path: &str, policy: &Policy, rule: &Rule, problems: &mut Problems) {
    if problems.any_at(path) {
        return;
    }
    let mut end = None;
    for (index, step) in rule.then.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(end) = end {
            problems.at(
                &path,
                format!("is never reached: {end} before it ends what it would act on"),
            );
        }
        match &step.action {
            Action::Hold(hold) => set(&path, policy, hold, problems),
            Action::Scale(scale) => bounds_of_scale(&path, scale, problems),
            Action::Once(once) => end = end.or(ends(once)),
            Action::Throttle(_) | Action::Freeze(_) => {}
        }
    }
}

/// What nothing comes after.
fn ends(once: &Once) -> Option<&'static str> {
    match once {
        Once::Kill {
            scope: Process::Cgroup,
            signal,
            escalate,
            ..
        } if *signal == SIGKILL || *escalate == Some(SIGKILL) => Some("the `kill`"),
        Once::Restart => Some("the `restart`"),
        Once::Kill { .. } | Once::Notify { .. } | Once::Reclaim { .. } => None,
    }
}

fn set(path: &str, policy: &Policy, hold: &Hold, problems: &mut Problems) {
    for Clash { key, what } in clashes(&hold.limits) {
        problems.at(format!("{path}.set.{key}"), what);
    }
    if hold.revert == Revert::Keep {
        let limited: Vec<Held> = policy.limits.iter().map(held).collect();
        for twice in hold
            .limits
            .iter()
            .map(held)
            .filter(|held| limited.contains(held))
        {
            let what = format!(
                "keeps {twice}, which `[policy.limits]` of the same policy holds: leave out \
                 `revert = \"keep\"`, or the limit"
            );
            problems.at(format!("{path}.set"), what);
        }
    }
    for limit in &hold.limits {
        if let Limit::Cgroup(wanted) = limit {
            bounds_of_set(path, wanted, hold.revert, problems);
        }
    }
}

fn bounds_of_set(path: &str, wanted: &Wanted, revert: Revert, problems: &mut Problems) {
    let Wanted {
        amount,
        ceiling,
        floor,
        ..
    } = wanted;
    let above = |one: Option<&Amount>, other: Option<&Amount>| {
        one.zip(other).and_then(|(one, other)| is_above(one, other)) == Some(true)
    };
    if above(floor.as_ref(), ceiling.as_ref()) {
        problems.at(format!("{path}.floor"), "is above the ceiling");
    }
    if above(Some(amount), ceiling.as_ref()) {
        problems.at(format!("{path}.ceiling"), "is below what is set");
    }
    if above(floor.as_ref(), Some(amount)) {
        problems.at(format!("{path}.floor"), "is above what is set");
    }
    if let (Amount::Change(Change::OfCurrent(factor)), Revert::Keep) = (amount, revert) {
        let missing = match factor {
            factor if *factor > 1.0 && ceiling.is_none() => Some(("ceiling", "up")),
            factor if *factor < 1.0 && floor.is_none() => Some(("floor", "down")),
            _ => None,
        };
        if let Some((bound, way)) = missing {
            let what = format!("goes further {way} each time and is kept: give it a `{bound}`");
            problems.at(format!("{path}.set"), what);
        }
    }
}

fn bounds_of_scale(path: &str, scale: &Scale, problems: &mut Problems) {
    let ceiling = format!("{path}.scale.ceiling");
    let original = Amount::Change(Change::OfOriginal(1.0));
    if is_above(&scale.ceiling, &scale.floor) == Some(false) {
        problems.at(ceiling, "is not above the floor");
    } else if is_above(&scale.ceiling, &original) == Some(false) {
        problems.at(
            ceiling,
            "is not above the original (`1x`): it would never go up",
        );
    }
}
