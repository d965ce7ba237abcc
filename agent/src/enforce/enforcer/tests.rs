#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::books::Books;
use super::thread::Settings;
use super::*;
use crate::cgroup::{HierarchyId, IoCaps, Knob, Layout, Placement, Setting};
use crate::config::AuditConfig;
use crate::enforce::Outcome;
use crate::enforce::audit::Audit;
use crate::enforce::fixture::{evidence, workload};
use crate::enforce::guard::Anchor;
use crate::enforce::hold::world::{DISK, FREEZER, World};
use crate::ledger::EventLog;
use crate::policy::{Amount, Claim, Limit, OnConflict, Once, Process, Restore, Scope, Wanted};

const MIB: u64 = 1 << 20;

/// An enforcer over a made-up kernel with the cgroups `/1` to `/3`; `/9` holds pid 1.
struct Bench {
    world: World,
    enforcer: Enforcer<World>,
    log: EventLog,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let world = World::default();
        for id in [1, 2, 3, 9] {
            world.cgroup(id);
        }
        let directory = tempfile::tempdir().unwrap();
        let log = EventLog::new(1_000);
        let mut bench = Self {
            enforcer: Self::enforcer(&world, directory.path(), &log),
            world,
            log,
            directory,
        };
        bench.enforcer.begin();
        bench
    }

    fn enforcer(world: &World, directory: &std::path::Path, log: &EventLog) -> Enforcer<World> {
        let audit = Audit::start(&AuditConfig {
            path: "".into(),
            ..AuditConfig::default()
        });
        let (_, snapshots) = watch::channel(Arc::new(Snapshot::empty()));
        let settings = Settings {
            state_dir: directory.join("state"),
            mode: Mode::Enforce,
            protect: Protect {
                max_actions_per_minute: 3,
                ..Protect::default()
            },
            guardian: None,
        };
        let pid_1 = Placement {
            paths: [HierarchyId::V2, FREEZER]
                .map(|id| (id, "/9".to_owned()))
                .into(),
        };
        let look: Look = Box::new(move |_, _, _| {
            let anchor = Anchor {
                what: "pid 1",
                placement: pid_1.clone(),
            };
            Ok(Tree {
                anchors: vec![anchor],
                ..Tree::default()
            })
        });
        let layout = Layout::from_hierarchies(Vec::new());
        let mut enforcer = Enforcer::new(
            world.clone(),
            settings,
            snapshots,
            Books::new(audit.unwrap(), log.clone()),
            look,
            Box::new(move |owner| Control::open(&layout, &owner.placement)),
            None,
        );
        enforcer.guardian = None;
        enforcer
    }

    fn order(&mut self, order: Order) -> Arc<Record> {
        self.all(order).pop().unwrap()
    }

    fn all(&mut self, order: Order) -> Vec<Arc<Record>> {
        match self.enforcer.order(order) {
            Answer::Now(records) => records,
            Answer::Later(_) => panic!("nobody runs errands here"),
        }
    }

    fn events(&self) -> Vec<&'static str> {
        let events = self.log.since(0, usize::MAX);
        events.iter().map(|event| event.kind.name()).collect()
    }
}

fn policy(name: &str, rule: Option<&str>) -> Claimant {
    Claimant::Policy {
        policy: name.into(),
        rule: rule.map(Into::into),
        priority: 1,
    }
}

fn order(id: u64, claimant: Claimant, step: Step) -> Order {
    Order {
        claimant,
        workload: Arc::new(workload(&format!("/{id}"))),
        step,
        mode: Mode::Enforce,
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
        evidence: evidence(),
    }
}

fn wanted(knob: Knob, amount: Amount) -> Wanted {
    Wanted {
        knob,
        amount,
        ceiling: None,
        floor: None,
    }
}

fn set(setting: Setting) -> Step {
    hold(setting.knob(), Amount::Exactly(setting), None)
}

fn hold(knob: Knob, amount: Amount, at_most: Option<Duration>) -> Step {
    Step::Hold(Claim {
        limit: Limit::Cgroup(wanted(knob, amount)),
        at_most,
    })
}

fn freeze(at_most: Option<Duration>) -> Step {
    hold(
        Knob::Freeze,
        Amount::Exactly(Setting::Freeze(true)),
        at_most,
    )
}

fn max(mib: u64) -> Setting {
    Setting::MemoryMax(Some(mib * MIB))
}

fn value(setting: Setting) -> Value {
    Value::Setting(setting)
}

#[test]
fn a_limit_is_held_and_let_go() {
    let mut bench = Bench::new();
    let held = bench.order(order(1, policy("a", None), set(max(300))));
    assert_eq!(held.outcome, Outcome::Done);
    assert_eq!(held.before.as_deref(), Some("memory.max max"));
    assert_eq!(held.after.as_deref(), Some("memory.max 314572800"));
    let views = bench.enforcer.claims();
    assert_eq!(
        (views.len(), views[0].action, views[0].in_force),
        (1, held.id, true)
    );
    assert_eq!(bench.enforcer.status().held["memory.max"], 1);
    let step = Step::Release(Scope::Knob(Knob::MemoryMax));
    let released = bench.order(order(1, policy("a", None), step));
    assert_eq!(released.outcome, Outcome::Restored);
    assert_eq!(released.after.as_deref(), Some("memory.max max"));
    assert_eq!(bench.events(), ["action", "action"]);
    assert!(bench.enforcer.claims().is_empty());
}

#[test]
fn nothing_is_written_in_monitor_mode() {
    for whole_agent in [false, true] {
        let mut bench = Bench::new();
        let before = bench.world.values();
        let mut orders = vec![
            order(1, policy("a", None), set(max(300))),
            order(
                1,
                policy("a", Some("r")),
                freeze(Some(Duration::from_secs(1))),
            ),
            order(1, policy("a", None), Step::Release(Scope::All)),
            order(1, Claimant::Operator, Step::Once(Once::Restart)),
        ];
        if whole_agent {
            bench.enforcer.set_mode(Mode::Monitor);
        } else {
            orders
                .iter_mut()
                .for_each(|order| order.mode = Mode::Monitor);
        }
        for order in orders {
            assert_eq!(bench.order(order).outcome, Outcome::DryRun);
        }
        // What must not be done is said all the same.
        let mut refused = order(9, policy("a", None), set(max(300)));
        refused.mode = Mode::Monitor;
        assert!(matches!(bench.order(refused).outcome, Outcome::Refused(_)));
        assert_eq!(bench.world.values(), before);
        assert_eq!(bench.world.writes(), 0);
        assert!(!bench.directory.path().join("state").exists());
        assert!(bench.events().iter().all(|event| *event == "decision"));
    }
}

#[test]
fn the_floor_is_for_everybody() {
    let mut bench = Bench::new();
    for claimant in [Claimant::Operator, policy("a", None)] {
        let steps = [
            set(max(300)),
            Step::Once(Once::Restart),
            Step::Once(Once::Reclaim { bytes: 1 }),
            Step::Once(Once::Kill {
                scope: Process::Cgroup,
                signal: 9,
                grace: Duration::ZERO,
                escalate: None,
            }),
        ];
        for step in steps {
            let record = bench.order(order(9, claimant.clone(), step));
            assert_eq!(record.outcome, Outcome::Refused("/9 holds pid 1".into()));
        }
    }
    assert_eq!(bench.enforcer.status().refusals["protected"], 8);
    assert_eq!(bench.world.writes(), 0);
}

fn writes_at(kib: u64) -> Setting {
    let caps = IoCaps {
        wbps: Some(kib << 10),
        ..IoCaps::default()
    };
    Setting::IoMax(DISK, caps)
}

/// 64 MiB with a mebibyte a second is too little; 256 MiB is enough.
#[test]
fn what_would_kill_together_is_refused() {
    let refused = Outcome::Refused("the kernel kills".into());
    for claimant in [Claimant::Operator, policy("a", None)] {
        for mode in [Mode::Enforce, Mode::Monitor] {
            for (there, then) in [(writes_at(1_024), max(64)), (max(64), writes_at(1_024))] {
                let mut bench = Bench::new();
                // Somebody else set it.
                bench.world.set(1, there);
                let writes = bench.world.writes();
                let mut order = order(1, claimant.clone(), set(then));
                order.mode = mode;
                assert_eq!(bench.order(order).outcome, refused);
                assert_eq!(bench.world.writes(), writes);
                assert_eq!(bench.enforcer.status().refusals["harmful"], 1);
                assert!(bench.enforcer.claims().is_empty());
            }
        }
    }
}

#[test]
fn what_would_kill_with_what_is_on_its_way_is_refused() {
    let mut bench = Bench::new();
    bench.world.slow(Knob::MemoryMax, 3);
    let first = bench.order(order(2, policy("a", None), set(max(64))));
    assert!(matches!(first.outcome, Outcome::Deferred(_)));
    let second = bench.order(order(2, policy("a", None), set(writes_at(1_024))));
    assert!(matches!(second.outcome, Outcome::Refused(_)), "{second:?}");
    let other = bench.order(order(1, policy("a", None), set(writes_at(1_024))));
    assert_eq!(other.outcome, Outcome::Done);
}

/// The policy's 64 MiB stood behind the operator's 256 when its cap on writes was set. When the
/// operator lets go, they do not come into force; when the cap goes, they do.
#[test]
fn a_claim_next_in_line_waits_while_it_would_kill() {
    let mut bench = Bench::new();
    bench.order(order(1, policy("a", None), set(max(64))));
    bench.order(order(1, Claimant::Operator, set(max(256))));
    let cap = bench.order(order(1, policy("a", None), set(writes_at(1_024))));
    assert_eq!(cap.outcome, Outcome::Done);
    assert_eq!(cap.caveats, ["it does not see buffered writes"]);
    let release = || Step::Release(Scope::Knob(Knob::MemoryMax));
    let let_go = bench.order(order(1, Claimant::Operator, release()));
    assert!(matches!(let_go.outcome, Outcome::Failed(_)), "{let_go:?}");
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(256)));
    bench.order(order(1, policy("a", None), Step::Release(Scope::Io)));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(64)));
    bench.order(order(1, policy("a", None), release()));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn a_freeze_ends_by_itself() {
    let mut bench = Bench::new();
    let refused = bench.order(order(1, policy("a", Some("r")), freeze(None)));
    assert!(
        matches!(refused.outcome, Outcome::Refused(_)),
        "{refused:?}"
    );
    let at_most = Duration::from_secs(5);
    bench.order(order(1, policy("a", Some("r")), freeze(Some(at_most))));
    let frozen = || value(Setting::Freeze(true));
    assert_eq!(bench.world.value(1, Knob::Freeze), frozen());
    let now = Instant::now();
    assert!(bench.enforcer.next_due(now) <= now + at_most);
    bench
        .enforcer
        .on_time(now + at_most - Duration::from_millis(100));
    assert_eq!(bench.world.value(1, Knob::Freeze), frozen());
    bench.enforcer.on_time(now + at_most);
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(false))
    );
    assert_eq!(bench.enforcer.status().actions[&("release", "restored")], 1);
}

/// Frozen again before the first time was up, it stays frozen for the second.
#[test]
fn a_claim_made_again_has_a_new_end() {
    let mut bench = Bench::new();
    bench.order(order(
        1,
        policy("a", None),
        freeze(Some(Duration::from_secs(5))),
    ));
    bench.order(order(
        1,
        policy("a", None),
        freeze(Some(Duration::from_secs(50))),
    ));
    let now = Instant::now();
    bench.enforcer.on_time(now + Duration::from_secs(6));
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(true))
    );
    bench.enforcer.on_time(now + Duration::from_secs(51));
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(false))
    );
}

#[test]
fn rules_have_a_budget_limits_and_operators_have_none() {
    let mut bench = Bench::new();
    for mib in 100..110 {
        let limit = bench.order(order(1, policy("a", None), set(max(mib))));
        let operator = bench.order(order(2, Claimant::Operator, set(max(mib))));
        assert_eq!(
            (&limit.outcome, &operator.outcome),
            (&Outcome::Done, &Outcome::Done)
        );
    }
    let mut outcomes = Vec::new();
    for mib in [50, 51, 51, 51, 52, 53] {
        let record = bench.order(order(3, policy("a", Some("r")), set(max(mib))));
        outcomes.push(record.outcome.name());
    }
    // The same again is no action.
    assert_eq!(
        outcomes,
        ["done", "done", "done", "done", "done", "refused"]
    );
    assert_eq!(bench.enforcer.status().refusals["budget"], 1);
    assert_eq!(bench.world.value(3, Knob::MemoryMax), value(max(52)));
}

#[test]
fn what_takes_time_has_two_records_of_one_number() {
    let mut bench = Bench::new();
    bench.world.slow(Knob::MemoryMax, 1);
    let first = bench.order(order(2, policy("a", None), set(max(300))));
    assert!(matches!(first.outcome, Outcome::Deferred(_)));
    let now = Instant::now();
    assert!(bench.enforcer.next_due(now) <= now + timers::STEP);
    bench.enforcer.on_time(now);
    bench.enforcer.on_time(now);
    let query = crate::enforce::audit::Query::last(10);
    let records = bench.enforcer.books.audit().remembered(&query);
    assert_eq!(records.len(), 2);
    assert_eq!(
        (records[1].id, &records[1].outcome),
        (first.id, &Outcome::Done)
    );
    assert_eq!(records[1].before.as_deref(), Some("memory.max max"));
    assert_eq!(records[1].after.as_deref(), Some("memory.max 314572800"));
}

#[test]
fn an_action_can_be_undone_once() {
    let mut bench = Bench::new();
    let low = bench.order(order(1, policy("a", None), set(max(300))));
    let high = bench.order(order(1, Claimant::Operator, set(max(200))));
    let undone = bench.enforcer.undo(high.id);
    assert_eq!(undone.outcome, Outcome::Restored);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    assert_eq!(bench.enforcer.undo(low.id).outcome, Outcome::Restored);
    let again = bench.enforcer.undo(low.id);
    assert!(matches!(again.outcome, Outcome::Refused(_)));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn a_policy_goes_with_all_it_holds_but_what_is_never_restored() {
    let mut bench = Bench::new();
    bench.order(order(1, policy("a", None), set(max(300))));
    bench.order(order(2, policy("a", Some("r")), set(max(300))));
    let mut kept = order(3, policy("a", None), set(max(300)));
    kept.restore = Restore::Never;
    bench.order(kept);
    bench.order(order(3, policy("b", None), set(Setting::PidsMax(Some(7)))));
    let records = bench
        .enforcer
        .release_policies("test", |claim| claim.is_of_policy("a"));
    assert_eq!(records.len(), 3);
    let unlimited = value(Setting::MemoryMax(None));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), unlimited);
    assert_eq!(bench.world.value(2, Knob::MemoryMax), unlimited);
    assert_eq!(bench.world.value(3, Knob::MemoryMax), value(max(300)));
    let left = bench.enforcer.claims();
    assert_eq!((left.len(), left[0].what.as_str()), (1, "pids.max"));
}

#[test]
fn the_operators_claim_is_known_to_the_next_agent() {
    let mut bench = Bench::new();
    let held = bench.order(order(1, Claimant::Operator, set(max(300))));
    bench.order(order(2, policy("a", None), set(max(300))));
    bench.enforcer.end(Duration::ZERO);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    assert_eq!(
        bench.world.value(2, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
    let log = bench.log.clone();
    drop(std::mem::replace(
        &mut bench.enforcer,
        Bench::enforcer(&World::default(), std::path::Path::new("/nowhere"), &log),
    ));
    let mut next = Bench::enforcer(&bench.world, bench.directory.path(), &log);
    next.begin();
    let claims = next.claims();
    assert_eq!((claims.len(), claims[0].action), (1, held.id));
    assert_eq!(claims[0].original, "memory.max max");
    bench.enforcer = next;
    let another = bench.order(order(3, Claimant::Operator, set(max(300))));
    assert!(another.id > held.id);
    bench.order(order(1, Claimant::Operator, Step::Release(Scope::All)));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

fn drifting(on_conflict: OnConflict) -> Bench {
    let mut bench = Bench::new();
    let mut held = order(1, policy("a", None), set(max(300)));
    held.on_conflict = on_conflict;
    bench.order(held);
    bench
}

#[test]
fn yields_to_somebody_else() {
    let mut bench = drifting(OnConflict::Yield);
    bench.world.set(1, max(111));
    bench.enforcer.sweep();
    assert!(bench.enforcer.claims().is_empty());
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(111)));
    assert_eq!(bench.enforcer.status().drifts["yielded"], 1);
    assert_eq!(bench.events(), ["action", "action", "drift"]);
    // Theirs is the original now.
    bench.order(order(1, policy("a", None), set(max(300))));
    bench.order(order(1, policy("a", None), Step::Release(Scope::All)));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(111)));
}

#[test]
fn reasserts_three_times_then_yields() {
    let mut bench = drifting(OnConflict::Reassert);
    for mib in 111..114 {
        bench.world.set(1, max(mib));
        bench.enforcer.sweep();
        assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    }
    bench.world.set(1, max(114));
    bench.enforcer.sweep();
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(114)));
    let drifts = bench.enforcer.status().drifts;
    assert_eq!((drifts["reasserted"], drifts["yielded"]), (3, 1));
}

#[test]
fn alerts_once_for_each_value() {
    let mut bench = drifting(OnConflict::Alert);
    for mib in [111, 111, 112] {
        bench.world.set(1, max(mib));
        bench.enforcer.sweep();
    }
    assert_eq!(bench.enforcer.status().drifts["alerted"], 2);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(112)));
    assert_eq!(bench.enforcer.claims().len(), 1);
    bench.enforcer.end(Duration::ZERO);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(112)));
}

#[test]
fn what_would_make_the_kernel_kill_is_refused() {
    let mut bench = Bench::new();
    let record = bench.order(order(
        1,
        Claimant::Operator,
        set(Setting::MemoryMax(Some(4_096))),
    ));
    assert!(matches!(record.outcome, Outcome::Refused(_)), "{record:?}");
    assert_eq!(bench.enforcer.status().refusals["harmful"], 1);
}

#[test]
fn shares_are_of_what_is_in_force() {
    let mut bench = Bench::new();
    bench.order(order(1, Claimant::Operator, set(max(400))));
    let amount = Amount::Change(crate::policy::Change::OfCurrent(0.5));
    let step = || hold(Knob::MemoryMax, amount.clone(), None);
    bench.order(order(1, policy("a", None), step()));
    // Behind the operator, and half of what was in force; then half of its own.
    let of_policy = |bench: &Bench| bench.enforcer.claims()[1].value.clone();
    assert_eq!(of_policy(&bench), value(max(200)).to_string());
    bench.order(order(1, policy("a", None), step()));
    assert_eq!(of_policy(&bench), value(max(100)).to_string());
}

fn any_order() -> impl Strategy<Value = Order> {
    let claimant = prop_oneof![
        Just(Claimant::Operator),
        Just(policy("a", None)),
        Just(policy("a", Some("r"))),
        Just(policy("b", None)),
    ];
    let step = prop_oneof![
        (1u64..500).prop_map(|mib| set(max(mib))),
        (1u64..500).prop_map(|pids| set(Setting::PidsMax(Some(pids)))),
        (0.1f64..3.0).prop_map(|factor| {
            let amount = Amount::Change(crate::policy::Change::OfCurrent(factor));
            hold(Knob::PidsMax, amount, None)
        }),
        any::<bool>().prop_map(|bounded| freeze(bounded.then_some(Duration::from_secs(9)))),
        Just(Step::Release(Scope::All)),
        Just(Step::Release(Scope::Knob(Knob::PidsMax))),
        Just(Step::Once(Once::Restart)),
    ];
    let id = prop::sample::select(&[1u64, 2, 3, 8, 9][..]);
    (id, claimant, step, any::<bool>()).prop_map(|(id, claimant, step, monitor)| {
        let mut order = order(id, claimant, step);
        if monitor {
            order.mode = Mode::Monitor;
        }
        order
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is ordered, of cgroups that are protected or do not exist too: each order has at least
    /// one record, numbers ascend, nothing protected changes, and in the end all is given back.
    #[test]
    fn every_order_has_a_record(orders in prop::collection::vec(any_order(), 1..20)) {
        let mut bench = Bench::new();
        bench.world.remove(8);
        let originals = bench.world.values();
        let mut last = 0;
        for order in orders {
            let (monitor, id) = (order.mode == Mode::Monitor, order.workload.identity.id.clone());
            let writes = bench.world.writes();
            let records = bench.all(order);
            prop_assert!(!records.is_empty());
            for record in records {
                prop_assert!(record.id > last);
                last = record.id;
            }
            if monitor || id == "/9" || id == "/8" {
                prop_assert_eq!(bench.world.writes(), writes);
            }
        }
        let all: Vec<_> = bench.enforcer.claims();
        for view in all {
            bench.enforcer.undo(view.action);
        }
        prop_assert_eq!(bench.world.values(), originals);
    }
}
