//! A recorded run, decided once more.
#![allow(clippy::unwrap_used)]

use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, proptest};
use proptest::prop_oneof;

use super::*;
use crate::policy::evaluate::Series;
use crate::policy::evaluate::tests::world::*;
use crate::policy::{Order, Policy, Revert};

const MINUTE: Duration = Duration::from_secs(60);

fn ladder() -> Policy {
    let steps = vec![
        step(0.0, reclaim(1)),
        step(2.0, hold(pids_max(5), Revert::OnClear)),
        step(1.0, kill()),
    ];
    let rules = vec![rule(usage(90.0, Some(80.0)), [3.0, 2.0, 5.0], steps)];
    policy("p", vec![], rules)
}

/// The live run: evaluator and history get the same.
struct Live {
    world: World,
    history: History,
    decided: Vec<(Duration, String)>,
}

impl Live {
    fn new() -> Self {
        let (world, _) = World::new(vec![ladder()]);
        let mut history = History::new(world.moment(), 10 * MINUTE);
        history.appeared(world.moment(), &workload(ID, None));
        Self {
            world,
            history,
            decided: Vec::new(),
        }
    }

    /// As the engine does: what was due is done when it is due.
    fn pass_time(&mut self, until: Duration) {
        while let Some(due) = self.world.due()
            && seconds(due) < until
        {
            self.world.now = seconds(due);
            let now = self.world.moment();
            let orders = self.world.evaluator.tick(now);
            self.note(&orders);
        }
        self.world.now = until;
    }

    fn see(&mut self, at: Duration, mib: Option<f64>) {
        self.pass_time(at);
        let now = self.world.moment();
        let mut seen = Observation::default();
        seen.put(Series::MemoryUsage, mib.map(|mib| mib * MIB));
        self.history.seen(now, ID, &seen, false);
        let orders = self.world.evaluator.observe(now, ID, &seen);
        self.note(&orders);
    }

    fn note(&mut self, orders: &[Order]) {
        let at = self.world.now;
        self.decided
            .extend(orders.iter().map(|order| (at, short(order))));
    }

    fn replay(&self, since: Duration, policy: Policy) -> Vec<(Duration, String)> {
        let decisions = self.history.recording().replay(since, set(vec![policy]));
        let told = decisions.into_iter().map(|decision| {
            let order = Order {
                claimant: decision.claimant,
                workload: workload(ID, None),
                step: decision.step,
                mode: decision.mode,
                on_conflict: crate::policy::OnConflict::Yield,
                restore: crate::policy::Restore::OnExit,
                evidence: decision.evidence,
                fate: crate::policy::Fate::default(),
            };
            let at = decision.time.duration_since(SystemTime::UNIX_EPOCH);
            (at.unwrap(), short(&order))
        });
        told.collect()
    }
}

#[test]
fn a_recorded_firing_is_decided_the_same_again() {
    let mut live = Live::new();
    for (at, mib) in [
        (0.0, 50.0),
        (1.0, 95.0),
        (5.5, 95.0),
        (6.5, 92.0),
        (9.0, 10.0),
        (20.0, 10.0),
    ] {
        live.see(seconds(at), Some(mib));
    }
    let decided = live.decided.clone();
    let names: Vec<_> = decided.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["reclaim 1", "+pids.max", "kill", "-all"]);
    assert_eq!(decided[0].0, seconds(4.0));
    assert_eq!(live.replay(MINUTE, ladder()), decided);
    let mut other = ladder();
    other.rules[0].hold_for = seconds(6.0);
    assert_eq!(
        live.replay(MINUTE, other),
        [(seconds(7.0), "reclaim 1".to_owned())]
    );
    let late = live.replay(seconds(14.0), ladder());
    assert!(late.is_empty(), "it had not held for long: {late:?}");
}

#[test]
fn what_falls_out_is_where_a_replay_starts() {
    let mut live = Live::new();
    live.history.span = seconds(5.0);
    for n in 0..20 {
        live.see(seconds(f64::from(n)), Some(95.0));
    }
    let tally = live.history.tally();
    assert!(tally.records <= 7, "{tally:?}");
    // From 13 s on: that is what the last record that fell out said.
    let expected = [(16.0, "reclaim 1"), (18.0, "+pids.max"), (19.0, "kill")];
    let expected = expected.map(|(at, name)| (seconds(at), name.to_owned()));
    assert_eq!(live.replay(MINUTE, ladder())[..], expected[..]);
    live.history.recording.trim(None, 500);
    assert!(live.history.tally().bytes <= 500);
    live.history.recording.trim(None, 0);
    assert_eq!(live.history.tally().records, 0);
    assert!(live.replay(MINUTE, ladder()).is_empty());
}

#[test]
fn an_idle_workload_costs_nothing_and_is_seen_all_the_same() {
    let mut live = Live::new();
    let mut seen = Observation::default();
    seen.put(Series::MemoryUsage, Some(95.0 * MIB));
    for n in 0..10 {
        live.world.now = seconds(f64::from(n));
        let now = live.world.moment();
        live.history.seen(now, ID, &seen, true);
        live.history.tick(now);
    }
    let tally = live.history.tally();
    assert_eq!(tally.records, 2 + 10, "seen once");
    let decided = live.replay(MINUTE, ladder());
    let names: Vec<_> = decided.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["reclaim 1", "+pids.max", "kill"]);
}

#[test]
fn without_a_span_nothing_is_kept() {
    let (world, _) = World::new(vec![]);
    let now = world.moment();
    let mut history = History::new(now, Duration::ZERO);
    history.appeared(now, &workload(ID, None));
    history.seen(now, ID, &Observation::default(), false);
    history.seen_host(now, &Observation::default());
    history.tick(now);
    assert_eq!(history.tally().records, 0);
}

proptest! {
    #[test]
    fn any_run_is_decided_the_same_again(
        readings in prop::collection::vec(
            (0u64..4_000, prop_oneof![
                3 => (91.0..120.0f64).prop_map(Some),
                2 => (80.1..90.0f64).prop_map(Some),
                3 => (0.0..80.0f64).prop_map(Some),
                1 => Just(None),
            ]),
            1..60,
        ),
    ) {
        let mut live = Live::new();
        let mut at = Duration::ZERO;
        for (ms, mib) in readings {
            at += Duration::from_millis(ms);
            live.see(at, mib);
        }
        prop_assert_eq!(live.replay(10 * MINUTE, ladder()), live.decided);
    }
}
