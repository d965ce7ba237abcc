//! What a changed policy file makes of what is held.

use super::*;
use crate::policy::evaluate::{Evaluator, Moment};
use crate::policy::{PolicySet, parse};

fn file(priority: u32) -> Arc<PolicySet> {
    let text = format!(
        "version = 1\n[[policy]]\nname = \"a\"\npriority = {priority}\nmatch = {{ cgroup = \"/1\" }}\n\
         [policy.limits]\n\"memory.max\" = \"300MiB\"\n"
    );
    Arc::new(parse(&text).unwrap())
}

/// Enforcement tells policies by their names: what is let go of in the name of the old one is let go of
/// in the name of the new one too.
#[test]
fn a_limit_holds_on_when_only_the_priority_changes() {
    let mut bench = Bench::new();
    let mut evaluator = Evaluator::new(file(1));
    let now = Moment::now();
    for order in evaluator.appear(now, &Arc::new(workload("/1"))) {
        bench.all(order);
    }
    let between = Claimant::Policy {
        policy: "b".into(),
        rule: None,
        priority: file(50).policies[0].rank(),
    };
    bench.order(order(1, between, set(max(200))));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(200)));

    for order in evaluator.replace(now, file(90)) {
        bench.all(order);
    }
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    assert_eq!(bench.enforcer.claims().len(), 2);
    for order in evaluator.enable(now, "a", false).unwrap() {
        bench.all(order);
    }
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(200)));
}
