//! A policy set in words, the same for everything that was written differently and means the same.

mod condition;
mod limit;
mod selector;
mod step;

use std::fmt::Write;

use super::order::{Mode, OnConflict, Restore};
use super::set::{Policy, PolicySet, Protect, ProtectPattern, Rule};
use super::units::TimeSpan;

pub use limit::{setting_value, threshold_value};

/// All of a policy set, as `plimsoll policy show` prints it.
#[must_use]
pub fn describe(set: &PolicySet) -> String {
    let mut text = format!("mode {}\n{}", mode(set.mode), protect(&set.protect));
    for policy in &set.policies {
        text.push('\n');
        text.push_str(&describe_policy(set, policy));
    }
    text
}

/// One policy of a set.
#[must_use]
pub fn describe_policy(set: &PolicySet, policy: &Policy) -> String {
    let mut text = format!("policy {}: {}", policy.name, mode(set.mode_of(policy)));
    if !policy.enabled {
        text.push_str(", disabled");
    }
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, ", priority {}", policy.priority);
    let _ = writeln!(text, "  matches {}", policy.select.matching);
    for terms in &policy.select.exclude {
        let _ = writeln!(text, "  but not {terms}");
    }
    for limit in &policy.limits {
        let _ = writeln!(text, "  holds {limit}");
    }
    let conflict = match policy.on_conflict {
        OnConflict::Yield => "yields to whoever else writes what it holds",
        OnConflict::Reassert => "writes again what somebody else overwrites",
        OnConflict::Alert => "tells when somebody else writes what it holds",
    };
    let restore = match policy.restore {
        Restore::OnExit => "gives back when the agent or the policy goes",
        Restore::OnDisable => "gives back when the policy goes",
        Restore::Never => "gives nothing back",
    };
    let _ = writeln!(text, "  {conflict}; {restore}");
    for rule in &policy.rules {
        text.push_str(&describe_rule(rule));
    }
    text
}

fn describe_rule(rule: &Rule) -> String {
    let Rule {
        name,
        when,
        hold_for,
        clear_for,
        cooldown,
        then,
    } = rule;
    let mut text = format!("  rule {name}: when {when}");
    if !hold_for.is_zero() {
        let _ = write!(text, " for {}", TimeSpan(*hold_for));
    }
    let (clear_for, cooldown) = (TimeSpan(*clear_for), TimeSpan(*cooldown));
    let _ = writeln!(
        text,
        "; over after {clear_for} without, then rests {cooldown}"
    );
    for (index, step) in then.iter().enumerate() {
        let number = index + 1;
        let _ = writeln!(text, "    {number}. {step}");
    }
    text
}

fn protect(protect: &Protect) -> String {
    let Protect {
        never,
        labels,
        max_actions_per_minute,
        max_kills_per_hour,
    } = protect;
    let never = never.iter().map(|entry| match entry {
        ProtectPattern::Own => "the agent's own cgroup".to_owned(),
        ProtectPattern::OwnAncestors => "the cgroups above the agent's".to_owned(),
        ProtectPattern::Cgroup(pattern) => format!("cgroup {pattern}"),
        ProtectPattern::Name(pattern) => pattern.to_string(),
    });
    let labels = labels.iter().map(|label| format!("label {label}"));
    let entries: Vec<String> = never.chain(labels).collect();
    let mut text = String::new();
    if !entries.is_empty() {
        let _ = writeln!(text, "protects {}", entries.join(", "));
    }
    let _ = writeln!(
        text,
        "at most {max_actions_per_minute} actions a minute, {max_kills_per_hour} kills an hour"
    );
    text
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Monitor => "monitor",
        Mode::Enforce => "enforce",
    }
}
