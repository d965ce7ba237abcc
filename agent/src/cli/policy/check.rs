//! `plimsoll policy check`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::note;
use super::super::output::Output;
use crate::cgroup::{Knob, Layout, enforceable_on};
use crate::config;
use crate::policy::sense::degradations;
use crate::policy::{Action, Limit, PolicySet, ThrottleTarget, describe, load};

/// Tells what the file means; what this host cannot do of it is worth knowing, and no error.
pub(super) fn run(file: Option<PathBuf>, out: &mut Output) -> Result<(), Failure> {
    let file = match file {
        Some(file) => file,
        None => config::load(None)?.policy.file,
    };
    let set = load(&file)?;
    out.text(&describe(&set))?;
    out.flush()?;
    for reason in not_here(&set) {
        note(&reason);
    }
    note(&format!("{}: ok", shown(&file)));
    Ok(())
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// What of it no workload of this host can have, and why.
fn not_here(set: &PolicySet) -> Vec<String> {
    let layout = match Layout::detect() {
        Ok(layout) => layout,
        Err(error) => return vec![format!("what this host can do is not known: {error}")],
    };
    let mut wanted: BTreeMap<Knob, &str> = BTreeMap::new();
    for policy in &set.policies {
        let steps = policy.rules.iter().flat_map(|rule| &rule.then);
        let held = steps.flat_map(|step| knobs(&step.action));
        let limited = policy.limits.iter().filter_map(knob);
        for knob in limited.chain(held) {
            wanted.entry(knob).or_insert(&policy.name);
        }
    }
    let not_held = wanted.into_iter().filter_map(|(knob, policy)| {
        let reason = enforceable_on(&layout, knob).err()?;
        Some(format!("not on this host (policy {policy}): {reason}"))
    });
    let not_seen = degradations(&layout, set)
        .into_iter()
        .map(|one| format!("{}: {}: {}", one.what, one.effect, one.reason));
    not_held.chain(not_seen).collect()
}

fn knobs(action: &Action) -> Vec<Knob> {
    match action {
        Action::Hold(hold) => hold.limits.iter().filter_map(knob).collect(),
        Action::Scale(scale) => vec![scale.target],
        Action::Throttle(throttle) => match throttle.target {
            ThrottleTarget::Cpu => vec![Knob::CpuMax],
            ThrottleTarget::Io | ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => vec![],
        },
        Action::Freeze(_) => vec![Knob::Freeze],
        Action::Once(_) => vec![],
    }
}

fn knob(limit: &Limit) -> Option<Knob> {
    match limit {
        Limit::Cgroup(wanted) => Some(wanted.knob),
        Limit::Io { .. } | Limit::Traffic(_) | Limit::Devices(_) => None,
    }
}
