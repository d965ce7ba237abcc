//! Policies of which no one can say which goes first.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::overlap::may_overlap;
use crate::cgroup::Knob;
use crate::policy::file::Problems;
use crate::policy::ladder::{Action, ThrottleTarget};
use crate::policy::order::Limit;
use crate::policy::set::{Policy, PolicySet};

/// Something of which only one value can be in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    Knob(Knob),
    /// The disk under a path.
    Disk(PathBuf),
    /// Those of a workload, whichever they are.
    Disks,
    Traffic,
    Devices,
}

/// Two policies of equal rank that can match one workload and whose limits, or whose rules, hold the
/// same are a tie; a rule goes before limits. Disabled policies are looked at too: they can be enabled
/// at any time.
pub(super) fn check(set: &PolicySet, problems: &mut Problems) {
    let mut earlier: Vec<(usize, &Policy, Holds)> = Vec::new();
    for (index, policy) in set.policies.iter().enumerate() {
        let path = format!("policy[{index}]");
        let unknown = [".match", ".exclude", ".priority"];
        if unknown
            .iter()
            .any(|key| problems.any_at(&format!("{path}{key}")))
            || problems.is_at(&path)
        {
            continue;
        }
        let holds = Holds::of(policy);
        for (other_index, other, other_holds) in &earlier {
            let same = holds.same(other_holds);
            if policy.rank() == other.rank()
                && !same.is_empty()
                && may_overlap(&policy.select, &other.select)
            {
                let what = format!(
                    "a tie with `{}` (policy[{other_index}]): both can match the same workload, by as \
                     many terms and with the same priority, and hold {}; give one of them another \
                     `priority`",
                    other.name,
                    same.join(", ")
                );
                problems.at(&path, what);
            }
        }
        earlier.push((index, policy, holds));
    }
}

/// What a limit holds.
pub(super) fn held(limit: &Limit) -> Held {
    match limit {
        Limit::Cgroup(wanted) => Held::Knob(wanted.knob),
        Limit::Io { path, .. } => Held::Disk(path.clone()),
        Limit::Traffic(_) => Held::Traffic,
        Limit::Devices(_) => Held::Devices,
    }
}

/// All that a policy may hold. Frozen is frozen, whoever did it.
struct Holds {
    limits: BTreeSet<Held>,
    rules: BTreeSet<Held>,
}

impl Holds {
    fn of(policy: &Policy) -> Self {
        let mut rules = BTreeSet::new();
        for step in policy.rules.iter().flat_map(|rule| &rule.then) {
            match &step.action {
                Action::Hold(hold) => rules.extend(hold.limits.iter().map(held)),
                Action::Scale(scale) => rules.extend([Held::Knob(scale.target)]),
                Action::Throttle(throttle) => rules.extend([match throttle.target {
                    ThrottleTarget::Cpu => Held::Knob(Knob::CpuMax),
                    ThrottleTarget::Io => Held::Disks,
                    ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => Held::Traffic,
                }]),
                Action::Freeze(_) | Action::Once(_) => {}
            }
        }
        Self {
            limits: policy.limits.iter().map(held).collect(),
            rules,
        }
    }

    fn same(&self, other: &Self) -> Vec<String> {
        let both = |ours: &BTreeSet<Held>, theirs: &BTreeSet<Held>| -> BTreeSet<Held> {
            let same = |held: &&Held| theirs.iter().any(|other| held.meets(other));
            ours.iter().filter(same).cloned().collect()
        };
        let mut same = both(&self.limits, &other.limits);
        same.extend(both(&self.rules, &other.rules));
        same.iter().map(ToString::to_string).collect()
    }
}

impl Held {
    /// Whether both can be of the same thing. Two paths, or a path and a number, may be of one disk:
    /// that is only known on the host, where the later claim then says so.
    fn meets(&self, other: &Self) -> bool {
        let disk = |held: &Self| {
            matches!(
                held,
                Self::Disk(_) | Self::Disks | Self::Knob(Knob::IoMax(_))
            )
        };
        let any = *self == Self::Disks || *other == Self::Disks;
        self == other || (any && disk(self) && disk(other))
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knob(knob) => write!(f, "{knob}"),
            Self::Disk(path) => write!(f, "io.max of {}", path.display()),
            Self::Disks => f.write_str("io.max"),
            Self::Traffic => f.write_str("net"),
            Self::Devices => f.write_str("devices"),
        }
    }
}
