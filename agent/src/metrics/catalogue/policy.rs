//! Policies: what they match and decide.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Histogram};
use crate::metrics::family::{Emit, Family, Source};
use crate::policy::Mode;

const ENGINE: Source = Source::new("the policy engine");
const ABSENT: &str = "no policy";

pub(super) const GROUP: Group = Group {
    title: "Policies",
    about: "",
    families: &[
        Family {
            name: "plimsoll_policy_workloads",
            help: "Workloads that a policy applies to, by the mode it is in: enforce, monitor or disabled.",
            labels: &["policy", "mode"],
            source: ENGINE,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for one in &hold.policy.tally.policies {
                    let mode = match (one.enabled, one.mode) {
                        (false, _) => "disabled",
                        (true, Mode::Monitor) => "monitor",
                        (true, Mode::Enforce) => "enforce",
                    };
                    let labels = [("policy", one.policy.as_str()), ("mode", mode)];
                    out.push_with(&labels, one.workloads);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_rule_workloads",
            help: "Workloads on which a rule is in a state: idle, pending (its condition holds, not yet for long enough), firing, settling, cooldown.",
            labels: &["policy", "rule", "state"],
            source: ENGINE,
            absent: "no rule",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for one in &hold.policy.tally.policies {
                    for rule in &one.rules {
                        for (state, count) in &rule.states {
                            let labels = [
                                ("policy", one.policy.as_str()),
                                ("rule", rule.rule.as_str()),
                                ("state", state.name()),
                            ];
                            out.push_with(&labels, *count);
                        }
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_decisions_total",
            kind: Counter,
            help: "What was decided, to be done (enforce) or only said (monitor); rule is empty for the limits of a policy.",
            labels: &["policy", "rule", "step", "mode"],
            source: ENGINE,
            absent: "nothing was decided yet",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for one in &hold.policy.orders {
                    let labels = [
                        ("policy", one.policy.as_str()),
                        ("rule", one.rule.as_deref().unwrap_or_default()),
                        ("step", one.step.as_str()),
                        ("mode", one.mode.as_str()),
                    ];
                    out.push_with(&labels, one.count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_decisions_lost_total",
            kind: Counter,
            help: "Decisions that were given up because too many waited to be carried out.",
            source: ENGINE,
            emit: Emit::Once(|scrape, out| {
                out.push_some(scrape.hold.as_ref().map(|hold| hold.policy.dropped));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_evaluations_total",
            kind: Counter,
            help: "Times a rule was held against new values.",
            source: ENGINE,
            emit: Emit::Once(|scrape, out| {
                out.push_some(
                    scrape
                        .hold
                        .as_ref()
                        .map(|hold| hold.policy.tally.evaluations),
                );
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_cpu_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time that policies took: fast readings and evaluation.",
            source: Source::new("CPU clock of the policy thread"),
            emit: Emit::Once(|scrape, out| {
                out.push_some(scrape.hold.as_ref().map(|hold| hold.policy.cpu_seconds));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_degraded",
            help: "1 for what this host cannot see, or only late, of what policies ask for; `plimsoll policy show` has the reason.",
            labels: &["what"],
            source: ENGINE,
            absent: "the host can see all of it",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                let mut last = None;
                for one in &hold.policy.degradations {
                    if last != Some(&one.what) {
                        out.push_with(&[("what", one.what.as_str())], 1_u64);
                        last = Some(&one.what);
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_policy_decision_seconds",
            kind: Histogram,
            unit: "seconds",
            help: "Time from a reading to the decision it led to, handed on.",
            source: ENGINE,
            absent: "nothing was decided yet",
            emit: Emit::Once(|scrape, out| {
                if let Some(hold) = &scrape.hold {
                    out.whole_histogram(&hold.policy.reaction);
                }
            }),
            ..Family::SINGLE
        },
    ],
};
