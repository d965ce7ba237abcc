//! An enforcer over a made-up kernel.
#![allow(clippy::unwrap_used)]

mod claims;
mod drift;
mod gain;
mod property;
mod refusals;
mod reload;
mod time;

use std::time::Duration;

use proptest::prelude::*;

use super::books::Books;
use super::thread::Settings;
use super::*;
use crate::cgroup::{HierarchyId, IoCaps, Knob, Layout};
use crate::config::AuditConfig;
use crate::enforce::Outcome;
use crate::enforce::audit::Audit;
use crate::enforce::fixture::{evidence, workload};
use crate::enforce::guard::Anchor;
use crate::enforce::hold::world::{DISK, FREEZER, World};
use crate::ledger::EventLog;
use crate::policy::{
    Amount, Claim, Fate, Limit, OnConflict, Once, Process, Restore, Scope, Wanted,
};

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
        fate: Fate::default(),
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
