//! Whatever happens, in whatever order: what a rule may never do.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::prop_oneof;
use proptest::test_runner::TestCaseError;

use super::world::*;
use crate::cgroup::Setting;
use crate::policy::evaluate::{Observation, Series};
use crate::policy::{
    Action, Freeze, LadderStep, Limit, Mode, Once, Order, Policy, Revert, Rule, Scope, Step,
};

const LINE: f64 = 90.0;
const CLEAR: f64 = 80.0;

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    See(Option<f64>),
    Tick,
    Enable(bool),
    Mode(Mode),
    Match(bool),
    Reload,
    /// The clock goes back by so many milliseconds.
    Back(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let value = prop_oneof![
        4 => 91.0..200.0f64,
        3 => 80.1..90.0f64,
        4 => 0.0..80.0f64,
    ];
    prop_oneof![
        20 => value.prop_map(|value| Event::See(Some(value))),
        2 => Just(Event::See(None)),
        10 => Just(Event::Tick),
        1 => any::<bool>().prop_map(Event::Enable),
        1 => any::<bool>().prop_map(|on| Event::Mode(if on { Mode::Enforce } else { Mode::Monitor })),
        1 => any::<bool>().prop_map(Event::Match),
        1 => Just(Event::Reload),
        1 => (0u64..5_000).prop_map(Event::Back),
    ]
}

/// Each step can be told by its order: what it reclaims, or the knob it holds.
fn action(index: usize) -> impl Strategy<Value = Action> {
    let held = [
        Setting::MemoryMax(Some(1)),
        Setting::MemoryHigh(Some(1)),
        Setting::PidsMax(Some(1)),
        Setting::CpuWeight(1),
    ];
    let held = held[index % held.len()].clone();
    prop_oneof![
        Just(Action::Once(Once::Reclaim {
            bytes: index as u64
        })),
        Just(hold(held.clone(), Revert::OnClear)),
        Just(hold(held, Revert::Keep)),
    ]
}

fn rule_strategy() -> impl Strategy<Value = Rule> {
    let time = || prop_oneof![Just(0.0), 0.1..5.0f64];
    let steps = (1usize..=4).prop_flat_map(move |length| {
        (0..length)
            .map(|index| (time(), action(index)).prop_map(|(after, action)| step(after, action)))
            .collect::<Vec<_>>()
    });
    (time(), time(), time(), steps, any::<bool>()).prop_map(
        |(hold_for, clear_for, cooldown, mut steps, freezes): (_, _, _, Vec<LadderStep>, _)| {
            if freezes {
                let freeze = Freeze { max: seconds(3.0) };
                steps.push(step(0.5, Action::Freeze(freeze)));
            }
            rule(
                usage(LINE, Some(CLEAR)),
                [hold_for, clear_for, cooldown],
                steps,
            )
        },
    )
}

/// An order's place on the ladder.
fn index_of(order: &Order, rule: &Rule) -> usize {
    let same = |step: &LadderStep| match (&step.action, &order.step) {
        (Action::Once(one), Step::Once(other)) => one == other,
        (Action::Hold(hold), Step::Hold(claim)) => hold.limits[0] == claim.limit,
        (Action::Freeze(_), Step::Hold(claim)) => claim.limit == wanted(Setting::Freeze(true)),
        _ => false,
    };
    rule.then.iter().position(same).unwrap()
}

/// Follows the orders by itself and objects.
struct Watcher {
    rule: Rule,
    cooldown: Duration,
    /// Steps of the firing under way, and when the last one was taken.
    taken: usize,
    last_step: Option<Duration>,
    /// The end of the last firing.
    ended: Option<Duration>,
    /// Since when the value has been above the clear line without a break.
    above_clear: Option<Duration>,
    /// Whether there was a break since the last step: the clock may stand still over one.
    broken: bool,
    latched: bool,
    value: Option<f64>,
    /// On-clear holds in force, with when they go by themselves.
    held: BTreeSet<(String, Option<Duration>)>,
    kept: bool,
}

impl Watcher {
    fn see(&mut self, now: Duration, value: Option<f64>) {
        self.value = value;
        match value {
            Some(value) if value > LINE => self.latched = true,
            Some(value) if value <= CLEAR => self.latched = false,
            Some(_) | None => {}
        }
        // What is not seen is a break too.
        self.above_clear = match value {
            Some(_) if self.latched => Some(self.above_clear.unwrap_or(now)),
            Some(_) | None => None,
        };
        self.broken |= self.above_clear.is_none();
    }

    fn check(&mut self, now: Duration, orders: &[Order]) -> Result<(), TestCaseError> {
        self.held
            .retain(|(_, ends)| ends.is_none_or(|ends| now < ends));
        for order in orders {
            match &order.step {
                Step::Hold(_) | Step::Once(_) => self.step(now, order)?,
                Step::Release(scope) => self.release(now, scope)?,
            }
        }
        Ok(())
    }

    fn step(&mut self, now: Duration, order: &Order) -> Result<(), TestCaseError> {
        let index = index_of(order, &self.rule);
        let after = self.rule.then[index].after;
        prop_assert!(
            self.value.is_some_and(|value| value > LINE),
            "acts on {:?}",
            self.value
        );
        let since = self.above_clear.unwrap();
        if index == 0 {
            prop_assert!(now - since >= self.rule.hold_for + after, "too early");
            if let Some(ended) = self.ended {
                prop_assert!(now - ended >= self.cooldown, "in its cooldown");
            }
            if let Some(last) = self.last_step {
                prop_assert!(now - last >= self.cooldown, "in its cooldown");
            }
            if let (Some(last), true) = (self.last_step, self.taken > 0) {
                // A firing without holds ends without an order: it must have cleared since.
                prop_assert!(self.broken, "began anew without having cleared");
                prop_assert!(now - last >= self.cooldown + self.rule.clear_for);
            }
        } else {
            prop_assert_eq!(index, self.taken, "skipped");
            let last = self.last_step.unwrap();
            prop_assert!(now - last.max(since) >= after, "climbed too early");
        }
        self.taken = index + 1;
        self.last_step = Some(now);
        self.broken = false;
        if let Step::Hold(claim) = &order.step {
            let keeps = match &self.rule.then[index].action {
                Action::Hold(hold) => hold.revert == Revert::Keep,
                _ => false,
            };
            if keeps {
                self.kept = true;
            } else {
                let ends = claim.at_most.map(|most| now + most);
                self.held.retain(|(name, _)| *name != short(order));
                self.held.insert((short(order), ends));
            }
        }
        Ok(())
    }

    fn release(&mut self, now: Duration, scope: &Scope) -> Result<(), TestCaseError> {
        // What is kept may be let go long after its firing.
        if !self.held.is_empty() {
            self.ended = Some(now);
        }
        match scope {
            Scope::All => {
                prop_assert!(!self.held.is_empty() || self.kept, "nothing to let go");
                self.held.clear();
                self.kept = false;
            }
            Scope::Knob(knob) => {
                let name = format!("+{knob}");
                let before = self.held.len();
                self.held.retain(|(held, _)| *held != name);
                prop_assert_eq!(self.held.len() + 1, before, "let go twice");
            }
            other => prop_assert!(false, "{other:?}"),
        }
        self.taken = 0;
        Ok(())
    }
}

fn run(rule: Rule, events: Vec<(u64, Event)>) -> Result<(), TestCaseError> {
    let limits = vec![wanted(Setting::CpuIdle(true))];
    let govern = |rules: Vec<Rule>| -> Policy {
        for_label(policy("p", limits.clone(), rules), "tier", "batch")
    };
    let ours = govern(vec![rule.clone()]);
    let matching = workload(ID, Some(("tier", "batch")));
    let other = workload(ID, Some(("tier", "web")));
    let mut world = World::empty(vec![ours.clone()]);
    world.now = seconds(100.0);
    world.appear(&matching);
    let mut watcher = Watcher {
        cooldown: rule.cooldown,
        rule,
        taken: 0,
        last_step: None,
        ended: None,
        above_clear: None,
        broken: false,
        latched: false,
        value: None,
        held: BTreeSet::new(),
        kept: false,
    };
    // The latest time the evaluator was told: it does not go back.
    let mut latest = world.now;
    for (ms, event) in events {
        world.now += Duration::from_millis(ms);
        if let Event::Back(by) = event {
            world.now = world.now.saturating_sub(Duration::from_millis(by));
        }
        latest = latest.max(world.now);
        let now = world.moment();
        let mut settles = false;
        let orders = match event {
            Event::See(value) => {
                watcher.see(latest, value);
                let mut observation = Observation::default();
                observation.put(Series::MemoryUsage, value.map(|value| value * MIB));
                world.evaluator.observe(now, ID, &observation)
            }
            Event::Tick | Event::Back(_) => world.evaluator.tick(now),
            Event::Enable(on) => {
                settles = true;
                world.evaluator.enable(now, "p", on).unwrap()
            }
            Event::Mode(mode) => {
                settles = true;
                world.evaluator.set_mode(now, Some("p"), mode).unwrap()
            }
            Event::Match(on) => {
                settles = true;
                world
                    .evaluator
                    .changed(now, if on { &matching } else { &other })
            }
            Event::Reload => world.evaluator.replace(now, set(vec![ours.clone()])),
        };
        let of_rule = |order: &&Order| rule_of(order).is_some();
        let (rules, limits): (Vec<_>, Vec<_>) = orders.iter().partition(of_rule);
        if !settles {
            prop_assert!(limits.is_empty(), "limits flap: {limits:?}");
        }
        let rules: Vec<Order> = rules.into_iter().cloned().collect();
        watcher.check(latest, &rules)?;
        if settles && !limits.is_empty() {
            prop_assert!(
                watcher.held.is_empty() && !watcher.kept,
                "still held: {:?}",
                watcher.held
            );
            watcher.taken = 0;
        }
    }
    let now = world.moment();
    let orders = world.evaluator.enable(now, "p", false).unwrap();
    let rules: Vec<Order> = orders
        .into_iter()
        .filter(|order| rule_of(order).is_some())
        .collect();
    watcher.check(latest, &rules)?;
    prop_assert!(
        watcher.held.is_empty() && !watcher.kept,
        "left: {:?}",
        watcher.held
    );
    Ok(())
}

/// A limit in force, by name, while limits come and go.
fn limit_state(held: &mut bool, order: &Order) -> Result<(), TestCaseError> {
    match &order.step {
        Step::Hold(claim) => {
            prop_assert!(matches!(claim.limit, Limit::Cgroup(_)));
            prop_assert!(!*held, "held twice");
            *held = true;
        }
        Step::Release(_) => {
            prop_assert!(*held, "let go twice");
            *held = false;
        }
        Step::Once(_) => prop_assert!(false, "{order:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(1_000))]

    #[test]
    fn rules_climb_in_order_wait_and_let_go_of_everything_once(
        rule in rule_strategy(),
        events in prop::collection::vec((0u64..3_000, event()), 1..120),
    ) {
        run(rule, events)?;
    }

    #[test]
    fn limits_are_held_once_and_let_go_once(
        events in prop::collection::vec((0u64..3_000, event()), 1..60),
    ) {
        let ours = for_label(policy("p", vec![wanted(Setting::CpuIdle(true))], vec![]), "t", "b");
        let mut world = World::empty(vec![ours.clone()]);
        let mut held = false;
        let (on, off) = (workload(ID, Some(("t", "b"))), workload(ID, None));
        for order in world.appear(&on) {
            limit_state(&mut held, &order)?;
        }
        for (ms, event) in events {
            world.now += Duration::from_millis(ms);
            let now = world.moment();
            let orders = match event {
                Event::Enable(on) => world.evaluator.enable(now, "p", on).unwrap(),
                Event::Mode(mode) => world.evaluator.set_mode(now, None, mode).unwrap(),
                Event::Match(yes) => world.evaluator.changed(now, if yes { &on } else { &off }),
                Event::Reload => world.evaluator.replace(now, set(vec![ours.clone()])),
                Event::See(_) | Event::Tick | Event::Back(_) => world.evaluator.tick(now),
            };
            for order in &orders {
                limit_state(&mut held, order)?;
            }
        }
    }
}
