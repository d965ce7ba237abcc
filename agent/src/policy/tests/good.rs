//! What is read from a file that says everything.

use std::time::Duration;

use super::*;
use crate::cgroup::{Knob, Setting};
use crate::policy::{
    Action, Amount, Bound, Change, Compare, Condition, Freeze, Limit, Metric, MetricCondition,
    Mode, Once, PolicySet, Process, ProtectPattern, Revert, Subject, Threshold, describe,
};

#[test]
fn everything_is_described() {
    let said = describe(&read(WHOLE));
    assert_eq!(said, include_str!("whole.txt"), "\n{said}");
}

#[test]
fn the_least_has_the_documented_defaults() {
    let set = read("version = 1");
    assert_eq!(set, PolicySet::default());
    assert_eq!(
        (set.mode, set.protect.max_kills_per_hour),
        (Mode::Enforce, 3)
    );
    assert_eq!(set.protect.max_actions_per_minute, 60);

    let set = read(
        "version = 1\nmode = 'monitor'\n[[policy]]\nname = 'p'\nmatch = {}\n[[policy.rule]]\nname = 'r'\n\
         any = [{ metric = 'memory.usage', above = '1GiB' }, { metric = 'cpu.usage', above = '150%' }]\n\
         then = [{ notify = {} }, { reclaim = '1MiB' }, { freeze = { max = '1s' } }, { kill = {} }]\n",
    );
    let policy = &set.policies[0];
    assert_eq!(
        (policy.priority, policy.enabled, policy.mode),
        (0, true, None)
    );
    assert_eq!(set.mode_of(policy), Mode::Monitor);
    let rule = &policy.rules[0];
    let seconds = Duration::from_secs;
    assert_eq!(rule.hold_for, Duration::ZERO);
    assert_eq!((rule.clear_for, rule.cooldown), (seconds(10), seconds(30)));
    let windows: Vec<Duration> = rule
        .when
        .leaves()
        .iter()
        .map(|leaf| match leaf {
            Condition::Metric(condition) => condition.window,
            other => panic!("{other}"),
        })
        .collect();
    // The latest reading of what is read, a second of what is counted.
    assert_eq!(windows, [Duration::ZERO, seconds(1)]);
    let after: Vec<u64> = rule.then.iter().map(|step| step.after.as_secs()).collect();
    assert_eq!(after, [0, 0, 5, 5]);
    assert_eq!(
        rule.then[3].action,
        Action::Once(Once::Kill {
            scope: Process::Cgroup,
            signal: nix::libc::SIGTERM,
            grace: seconds(10),
            escalate: Some(nix::libc::SIGKILL),
        })
    );
}

#[test]
fn values_have_their_units() {
    let set = read(WHOLE);
    let policy = &set.policies[0];
    assert!(set.protect.never.contains(&ProtectPattern::OwnAncestors));
    let settings: Vec<&Setting> = policy
        .limits
        .iter()
        .filter_map(|limit| match limit {
            Limit::Cgroup(wanted) => match &wanted.amount {
                Amount::Exactly(setting) => Some(setting),
                other => panic!("{other}"),
            },
            _ => None,
        })
        .collect();
    assert!(settings.contains(&&Setting::CpuMaxBurst(50_000)));
    assert!(settings.contains(&&Setting::CpusetCpus("0-1,3".into())));
    assert!(settings.contains(&&Setting::MemorySwapMax(Some(0))));
    // 80 % of 512 MiB, less what is no whole page.
    assert!(settings.contains(&&Setting::MemoryHigh(Some(429_494_272))));

    let burst = &policy.rules[1];
    assert_eq!(
        *burst.when.leaves()[0],
        Condition::Metric(MetricCondition {
            metric: Metric::CpuThrottledRatio,
            of: Subject::Workload,
            bound: Bound {
                compare: Compare::Above,
                threshold: Threshold::Value(10.0),
                clear: Some(Threshold::Value(5.0)),
            },
            window: Duration::from_millis(500),
        })
    );
    let Action::Scale(scale) = &burst.then[0].action else {
        panic!("{}", burst.then[0]);
    };
    assert_eq!(scale.target, Knob::CpuMax);
    assert_eq!(scale.ceiling, Amount::Change(Change::OfOriginal(3.0)));
    assert_eq!(scale.floor, Amount::Change(Change::OfOriginal(1.0)));
}

#[test]
fn a_rules_clear_goes_to_the_conditions_in_its_unit() {
    let set = read(WHOLE);
    let thrash = &set.policies[0].rules[0];
    let clears: Vec<Option<Threshold>> = thrash
        .when
        .leaves()
        .iter()
        .map(|leaf| match leaf {
            Condition::Psi(condition) => condition.bound.clear,
            Condition::Metric(condition) => condition.bound.clear,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(clears, [Some(Threshold::Value(10.0)), None]);
    assert_eq!(
        thrash.then[0].action,
        Action::Freeze(Freeze {
            max: Duration::from_secs(10)
        })
    );
    let Action::Hold(hold) = &thrash.then[2].action else {
        panic!("{}", thrash.then[2]);
    };
    assert_eq!((hold.revert, hold.at_most), (Revert::OnClear, None));
    let [Limit::Cgroup(wanted)] = hold.limits.as_slice() else {
        panic!("{hold}");
    };
    assert_eq!(wanted.amount, Amount::Change(Change::OfCurrent(1.25)));
    let gib = Setting::MemoryMax(Some(1 << 30));
    assert_eq!(wanted.ceiling, Some(Amount::Exactly(gib)));
}

#[test]
fn a_step_on_traffic_keeps_what_the_policy_denies() {
    let set = read(WHOLE);
    let policy = &set.policies[0];
    let own = policy.limits.iter().find_map(|limit| match limit {
        Limit::Traffic(rules) => Some(rules),
        _ => None,
    });
    let Action::Hold(hold) = &policy.rules[2].then[2].action else {
        panic!("{}", policy.rules[2].then[2]);
    };
    let step = hold.limits.iter().find_map(|limit| match limit {
        Limit::Traffic(rules) => Some(rules),
        _ => None,
    });
    let (own, step) = (own.unwrap(), step.unwrap());
    assert_eq!(step.ingress_bits_per_second, Some(10_000_000));
    assert_eq!(step.egress_bits_per_second, own.egress_bits_per_second);
    assert_eq!(
        (&step.connect_deny, &step.bind_allow),
        (&own.connect_deny, &own.bind_allow)
    );
    // A burst that was chosen for another rate does not fit this one.
    assert_eq!((own.burst_bytes, step.burst_bytes), (Some(256 << 10), None));
}

#[test]
fn slow_writes_need_memory() {
    let with = |memory: &str, cap: &str| {
        let text = format!(
            "version = 1\n[[policy]]\nname = 'p'\nmatch = {{}}\n[policy.limits]\n'memory.max' = '{memory}'\n\
             'io.max' = [{{ path = '/', {cap} }}]\n"
        );
        parse(&text).is_ok()
    };
    // memory² × rate, as measured: see cgroup::control.
    for (memory, cap, fine) in [
        ("63MiB", "wbps = '4MiB'", false),
        ("64MiB", "wbps = '4MiB'", true),
        ("127MiB", "wbps = '1MiB'", false),
        ("128MiB", "wbps = '1MiB'", true),
        ("16MiB", "wbps = '64MiB'", true),
        ("16MiB", "rbps = '1MiB'", true),
    ] {
        assert_eq!(with(memory, cap), fine, "{memory}, {cap}");
    }
}
