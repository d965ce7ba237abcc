//! A record as one line for people.

use std::time::Duration;

use humantime::{format_duration, format_rfc3339_seconds};

use crate::cgroup::{Knob, Setting};
use crate::enforce::{Outcome, Record};
use crate::policy::{
    Amount, Change, Claim, Claimant, Evidence, Limit, Once, Process, Scope, Step, Wanted,
};

/// When, on whose behalf, what, on which workload, why, and what became of it:
///
/// `2026-11-21T12:04:11Z batch-pressure/thrash froze web (memory.full above 20%: 34%, for 3s) → done in 3ms`
#[must_use]
pub fn summary(record: &Record) -> String {
    let time = format_rfc3339_seconds(record.time);
    format!("{time} {}", told(record))
}

/// A [`summary`] without the time.
pub(in crate::enforce) fn told(record: &Record) -> String {
    let Record {
        claimant,
        name,
        step,
        outcome,
        after,
        caveats,
        evidence,
        ..
    } = record;
    let mut line = format!(
        "{} {} ({}) → ",
        by(claimant),
        deed(step, record).said(outcome, name),
        because(evidence)
    );
    line.push_str(&ending(outcome, record.took));
    // What a limit is now is said before; a deed that is done once tells how it went.
    if let (Step::Once(_), Some(after)) = (step, after) {
        line.push_str(": ");
        line.push_str(after);
    }
    for caveat in caveats {
        line.push_str("; but ");
        line.push_str(caveat);
    }
    plain(&line)
}

/// One line, whatever a command printed or somebody called a cgroup.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}

/// `batch-pressure/thrash`, `batch-pressure` for the limits of a policy, `operator`.
pub(in crate::enforce) fn by(claimant: &Claimant) -> String {
    match claimant {
        Claimant::Operator => "operator".to_owned(),
        Claimant::Policy {
            policy,
            rule: Some(rule),
            ..
        } => format!("{policy}/{rule}"),
        Claimant::Policy {
            policy, rule: None, ..
        } => policy.to_string(),
    }
}

/// `memory.full above 20%: 34%, for 3s`
pub(in crate::enforce) fn because(evidence: &Evidence) -> String {
    let Evidence {
        condition,
        observed,
        held,
        ..
    } = evidence;
    let mut text = condition.clone();
    if !observed.is_empty() {
        text.push_str(": ");
        text.push_str(observed);
    }
    if !held.is_zero() {
        text.push_str(", for ");
        text.push_str(&brief(*held));
    }
    text
}

/// To the millisecond; to the microsecond below one.
fn brief(duration: Duration) -> String {
    let nanos = match duration.as_nanos() {
        0..1_000_000 => duration.subsec_micros() * 1_000,
        _ => duration.subsec_millis() * 1_000_000,
    };
    format_duration(Duration::new(duration.as_secs(), nanos)).to_string()
}

fn ending(outcome: &Outcome, took: Duration) -> String {
    match outcome {
        Outcome::Done => format!("done in {}", brief(took)),
        Outcome::Restored => format!("restored in {}", brief(took)),
        Outcome::DryRun => "only said: monitor mode".to_owned(),
        Outcome::Refused(reason) => format!("refused: {reason}"),
        Outcome::Failed(reason) => format!("failed: {reason}"),
        Outcome::Deferred(reason) => format!("deferred: {reason}"),
        Outcome::Yielded(reason) => format!("yielded: {reason}"),
    }
}

/// A verb and what stands around the workload's name.
struct Deed {
    now: &'static str,
    past: &'static str,
    /// Between verb and name, with its spaces.
    between: String,
    /// After the name.
    behind: String,
}

impl Deed {
    fn new(now: &'static str, past: &'static str, between: impl Into<String>) -> Self {
        Self {
            now,
            past,
            between: between.into(),
            behind: String::new(),
        }
    }

    fn said(&self, outcome: &Outcome, name: &str) -> String {
        let Self {
            now,
            past,
            between,
            behind,
        } = self;
        match outcome {
            Outcome::Done | Outcome::Restored => format!("{past}{between} {name}{behind}"),
            Outcome::DryRun => format!("would {now}{between} {name}{behind}"),
            Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Deferred(_) => {
                format!("to {now}{between} {name}{behind}")
            }
            Outcome::Yielded(_) => {
                format!("no longer holds what it {past}{between} {name}{behind}")
            }
        }
    }
}

fn deed(step: &Step, record: &Record) -> Deed {
    match step {
        Step::Hold(Claim { limit, .. }) => hold(limit, record),
        Step::Release(scope) => {
            let what = match scope {
                Scope::All => " all that it held on".to_owned(),
                Scope::Knob(Knob::Freeze) => return Deed::new("thaw", "thawed", ""),
                Scope::Knob(knob) => format!(" {knob} of"),
                Scope::Io => " the I/O of".to_owned(),
                Scope::Traffic => " the network of".to_owned(),
                Scope::Devices => " the devices of".to_owned(),
            };
            let mut deed = Deed::new("release", "released", what);
            deed.behind = change(record);
            deed
        }
        Step::Once(once) => match once {
            Once::Notify { .. } => Deed::new("tell", "told", " of"),
            Once::Reclaim { bytes } => {
                Deed::new("reclaim", "reclaimed", format!(" {bytes} bytes of"))
            }
            Once::Kill { scope, .. } => Deed::new(
                "kill",
                "killed",
                match scope {
                    Process::Cgroup => "",
                    Process::Largest => " the largest process of",
                    Process::Main => " the main process of",
                },
            ),
            Once::Restart => Deed::new("restart", "restarted", ""),
        },
    }
}

fn hold(limit: &Limit, record: &Record) -> Deed {
    match limit {
        Limit::Cgroup(Wanted {
            knob: Knob::Freeze,
            amount: Amount::Exactly(Setting::Freeze(false)),
            ..
        }) => Deed::new("thaw", "thawed", ""),
        Limit::Cgroup(Wanted {
            knob: Knob::Freeze, ..
        }) => Deed::new("freeze", "froze", ""),
        Limit::Cgroup(wanted) => {
            let mut deed = Deed::new("set", "set", format!(" {} of", wanted.knob));
            deed.behind = match change(record) {
                none if none.is_empty() => format!(" to {}", amount(&wanted.amount)),
                change => change,
            };
            deed
        }
        Limit::Io { path, .. } => Deed::new(
            "limit",
            "limited",
            format!(" I/O below {} of", path.display()),
        ),
        Limit::Traffic(_) => Deed::new("limit", "limited", " the network of"),
        Limit::Devices(_) => Deed::new("limit", "limited", " the devices of"),
    }
}

/// What was in force before and is now, as far as it is known.
fn change(record: &Record) -> String {
    match (record.before.as_deref(), record.after.as_deref()) {
        (Some(before), Some(after)) => format!(": {before} → {after}"),
        (None, Some(after)) => format!(": {after}"),
        (_, None) => String::new(),
    }
}

fn amount(amount: &Amount) -> String {
    match amount {
        Amount::Exactly(setting) => setting.value(),
        Amount::PercentOf { knob, percent } => format!("{percent}% of {knob}"),
        Amount::Change(Change::OfCurrent(factor)) => format!("{factor} times what it is"),
        Amount::Change(Change::OfOriginal(factor)) => format!("{factor} times what it was"),
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
