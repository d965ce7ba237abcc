//! What a host, or the cgroups of one workload, cannot hold of what a policy asks for.

use super::ladder::{Action, ThrottleTarget};
use super::order::Limit;
use super::set::Policy;
use crate::cgroup::{Control, HierarchyId, Knob, Layout, caveat_on, disk_of, enforceable_on};

/// Why network and device rules are not held on a host. v1 has device lists of its own; they cannot
/// be held: a list that allows all does not show what it leaves out (security/device_cgroup.c
/// devcgroup_seq_show(), v6.12), so that there is nothing to read back, and none to return to.
pub const NO_CGROUP2: &str =
    "cgroup2, to whose cgroups BPF programs are attached, is not mounted on this host";

/// Of a policy on this host, whatever the workload: each thing with the reason, and what is done
/// less well than its name promises.
#[must_use]
pub fn shortfalls_on(layout: &Layout, policy: &Policy) -> Vec<String> {
    let of_knob = |knob| match enforceable_on(layout, knob) {
        Ok(()) => caveat_on(layout, knob).map(|caveat| said(knob, caveat)),
        Err(refused) => Some(refused.to_string()),
    };
    let has_none = layout.unified().is_none();
    shortfalls(policy, of_knob, has_none.then_some(NO_CGROUP2))
}

/// Of a policy on one workload.
#[must_use]
pub fn shortfalls_of(control: &Control, policy: &Policy) -> Vec<String> {
    let of_knob = |knob| match control.enforceable(knob) {
        Ok(()) => control.caveat(knob).map(|caveat| said(knob, caveat)),
        Err(refused) => Some(refused.to_string()),
    };
    let has_none = !control.keys().contains_key(&HierarchyId::V2);
    let without_v2 = "the workload has no cgroup of its own in cgroup2";
    shortfalls(policy, of_knob, has_none.then_some(without_v2))
}

fn said(knob: Knob, caveat: &str) -> String {
    format!("{}: {caveat}", knob.name())
}

fn shortfalls(
    policy: &Policy,
    of_knob: impl Fn(Knob) -> Option<String>,
    without_v2: Option<&str>,
) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for thing in things(policy) {
        let shortfall = match thing {
            Ok(Thing::Knob(knob)) => of_knob(knob),
            Ok(Thing::Rules(name)) => {
                without_v2.map(|reason| format!("{name} is not enforceable: {reason}"))
            }
            Err(reason) => Some(format!("io.max is not enforceable: {reason}")),
        };
        told.extend(shortfall.filter(|one| !told.contains(one)));
    }
    told
}

enum Thing {
    Knob(Knob),
    /// Held by BPF programs.
    Rules(&'static str),
}

fn things(policy: &Policy) -> Vec<Result<Thing, String>> {
    let mut things: Vec<_> = policy.limits.iter().map(of_limit).collect();
    for step in policy.rules.iter().flat_map(|rule| &rule.then) {
        match &step.action {
            Action::Hold(hold) => things.extend(hold.limits.iter().map(of_limit)),
            Action::Scale(scale) => things.push(Ok(Thing::Knob(scale.target))),
            Action::Throttle(throttle) => match throttle.target {
                ThrottleTarget::Cpu => things.push(Ok(Thing::Knob(Knob::CpuMax))),
                ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => {
                    things.push(Ok(Thing::Rules("net")));
                }
                // Which disk shows when it comes to it, and the record tells.
                ThrottleTarget::Io => {}
            },
            Action::Freeze(_) => things.push(Ok(Thing::Knob(Knob::Freeze))),
            Action::Once(_) => {}
        }
    }
    things
}

fn of_limit(limit: &Limit) -> Result<Thing, String> {
    Ok(match limit {
        Limit::Cgroup(wanted) => Thing::Knob(wanted.knob),
        Limit::Io { path, .. } => Thing::Knob(Knob::IoMax(
            disk_of(path).map_err(|error| error.to_string())?,
        )),
        Limit::Traffic(_) => Thing::Rules("net"),
        Limit::Devices(_) => Thing::Rules("devices"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::{Controller, Hierarchy};
    use crate::policy::parse;

    fn layout(v1: &[(u32, Controller)], v2: &[Controller]) -> Layout {
        let hierarchy = |id: u32, controllers: Vec<Controller>| Hierarchy {
            id: HierarchyId(id),
            mount: format!("/nowhere/{id}").into(),
            root: "/".to_owned(),
            controllers,
            name: None,
        };
        let mut all: Vec<_> = v1
            .iter()
            .map(|(id, controller)| hierarchy(*id, vec![*controller]))
            .collect();
        if !v2.is_empty() {
            let mut unified = hierarchy(1, v2.to_vec());
            unified.id = HierarchyId::V2;
            all.push(unified);
        }
        Layout::from_hierarchies(all)
    }

    #[test]
    fn what_a_hierarchy_cannot_do_is_said() {
        let disk = "/dev/null";
        let text = format!(
            r#"
            version = 1
            [[policy]]
            name = "all"
            match = {{ name = "x" }}
            [policy.limits]
            "memory.high" = "64MiB"
            "io.max" = [{{ path = "{disk}", wbps = "50MiB" }}, {{ device = "8:0", wbps = "50MiB" }}]
            net = {{ egress = "10Mbit" }}
            [[policy.rule]]
            name = "frozen"
            any = [{{ metric = "memory.usage", above = "1GiB" }}]
            then = [{{ freeze = {{ max = "1s" }} }}]
            "#
        );
        let set = parse(&text).unwrap();
        let policy = &set.policies[0];
        let memory_and_io = [(1, Controller::Memory), (2, Controller::Io)];
        let v1 = shortfalls_on(&layout(&memory_and_io, &[]), policy);
        let begins = [
            "memory.high is not enforceable",
            "io.max is not enforceable: ",
            "io.max: v1 blkio does not see buffered writes",
            "net is not enforceable: cgroup2",
            "cgroup.freeze is not enforceable",
        ];
        assert_eq!(v1.len(), begins.len(), "{v1:#?}");
        for begin in begins {
            assert!(
                v1.iter().any(|one| one.starts_with(begin)),
                "{begin} {v1:#?}"
            );
        }
        let all = [Controller::Memory, Controller::Io, Controller::Freezer];
        let v2 = shortfalls_on(&layout(&[], &all), policy);
        assert_eq!(v2.len(), 1, "{v2:#?}");
        assert!(v2[0].starts_with("io.max is not enforceable: "), "{v2:#?}");
    }
}
