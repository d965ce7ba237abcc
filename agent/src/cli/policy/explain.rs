//! `plimsoll policy explain`

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::{Format, units};
use crate::api::{Explained, PolicyExplanation, RuleExplanation, State};
use crate::policy::Mode;

pub(super) fn show(explained: &Explained, format: Format, out: &mut Output) -> Result<(), Failure> {
    match format {
        Format::Json => out.json_pretty(explained)?,
        Format::Table => {
            for (applied, policy) in explained
                .policies
                .iter()
                .map(|policy| (policy.not_applied.is_none(), policy))
            {
                out.text(&if applied {
                    applies(policy)
                } else {
                    format!(
                        "policy {} does not apply: {}\n",
                        policy.policy,
                        policy.not_applied.as_deref().unwrap_or_default()
                    )
                })?;
            }
            if explained.policies.is_empty() {
                super::note("there is no policy");
            }
        }
    }
    Ok(out.flush()?)
}

fn applies(policy: &PolicyExplanation) -> String {
    let mode = match policy.mode {
        Mode::Monitor => ", decides only",
        Mode::Enforce => "",
    };
    let mut text = format!("policy {} applies{mode}\n", policy.policy);
    for limit in &policy.limits {
        text.push_str(&format!("  holds {limit}\n"));
    }
    for shortfall in &policy.shortfalls {
        text.push_str(&format!("  but {shortfall}\n"));
    }
    for rule in &policy.rules {
        text.push_str(&of_rule(rule));
    }
    text
}

fn of_rule(rule: &RuleExplanation) -> String {
    let age = |duration: Option<std::time::Duration>| duration.map_or_else(String::new, units::age);
    let state = match rule.state {
        State::Idle => "is idle".to_owned(),
        State::Pending => format!("is pending for {}", age(rule.since)),
        State::Firing => format!(
            "has been firing for {}, {} of {} steps taken",
            age(rule.since),
            rule.steps_taken,
            rule.steps
        ),
        State::Settling => "has cleared and goes back by steps".to_owned(),
        State::Cooldown => format!("cools down, {} to go", age(rule.cools_for)),
    };
    let mut text = format!(
        "  rule {} {state}\n    when {}\n",
        rule.rule, rule.condition
    );
    for leaf in &rule.leaves {
        let holds = match leaf.holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "cannot be said",
        };
        text.push_str(&format!(
            "      {}: {}, {holds}\n",
            leaf.condition, leaf.value
        ));
    }
    for held in &rule.holds {
        text.push_str(&format!("    holds {held}\n"));
    }
    text
}
