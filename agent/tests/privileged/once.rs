//! What is done once: reclaim, kill, restart, notify; each on a cgroup of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bus;
mod kill;
mod lanes;
mod reclaim;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use plimsoll::cgroup::{Control, Controller, HierarchyId, Layout, Placement};
use plimsoll::config::AuditConfig;
use plimsoll::enforce::Outcome;
use plimsoll::enforce::audit::Audit;
use plimsoll::enforce::once::{Errand, Errands, Finished, Settings};
use plimsoll::identity::classify;
use plimsoll::policy::{Claimant, Evidence, Once};

use crate::support::own_cgroup::mounted;
use crate::support::{OwnCgroup, V2, poll};

const LONG: Duration = Duration::from_secs(30);

/// Runs errands, and waits for their ends.
struct Runner {
    errands: Errands,
    ends: Receiver<Finished>,
}

impl Runner {
    fn start(settings: Settings) -> Self {
        let config = AuditConfig {
            path: Path::new("").into(),
            ..AuditConfig::default()
        };
        let audit = Audit::start(&config).unwrap();
        let (sender, ends) = channel();
        let errands = Errands::start(settings, audit, move |finished| {
            // A test that has seen enough has gone.
            let _ = sender.send(finished);
        });
        Self {
            errands: errands.unwrap(),
            ends,
        }
    }

    /// Does one thing to its end.
    fn run(&self, errand: Errand) -> Finished {
        let id = errand.id;
        self.errands.run(errand).unwrap();
        let finished = self.ends.recv_timeout(LONG).expect("the end of an errand");
        assert_eq!(finished.id, id);
        finished
    }
}

fn errand(id: u64, path: &str, control: Control, once: Once) -> Errand {
    Errand {
        id,
        time: SystemTime::now(),
        claimant: Claimant::Operator,
        identity: Arc::new(classify(path)),
        control: Arc::new(control),
        once,
        evidence: Evidence {
            condition: "a test".into(),
            observed: String::new(),
            at: SystemTime::now(),
            read: Instant::now(),
            held: Duration::ZERO,
        },
    }
}

/// The cgroups of the test's own, and no others: the processes' other cgroups are the test's too.
fn control(own: &OwnCgroup, hierarchies: &[&str]) -> Control {
    let layout = Layout::detect().unwrap();
    let id = |hierarchy: &str| match hierarchy {
        V2 => HierarchyId::V2,
        "freezer" => layout.controller(Controller::Freezer).unwrap().id,
        "memory" => layout.controller(Controller::Memory).unwrap().id,
        other => panic!("{other}"),
    };
    let paths = hierarchies.iter().map(|name| (id(name), own.path()));
    let paths: BTreeMap<_, _> = paths.collect();
    Control::open(&layout, &Placement { paths })
}

/// No cgroup at all.
fn nowhere() -> Control {
    Control::open(&Layout::from_hierarchies(Vec::new()), &Placement::default())
}

/// Each kind of hierarchy in which processes can be killed here.
fn kinds() -> Vec<&'static str> {
    mounted(&[V2, "freezer"])
}

/// What was said of an errand that was done.
fn done(finished: &Finished) -> &str {
    assert_eq!(finished.outcome, Outcome::Done, "{finished:?}");
    finished.after.as_deref().unwrap_or_default()
}

/// A program that tells by a file that it is ready, and does `then`.
fn perl(own: &mut OwnCgroup, directory: &Path, before: &str, then: &str) -> u32 {
    let ready = directory.join("ready");
    let script = format!(
        "{before}; open F, '>', '{}'; close F; {then}",
        ready.display()
    );
    let pid = own.spawn("perl", &["-e", &script]).id();
    poll("ready", || ready.exists().then_some(()));
    std::fs::remove_file(ready).unwrap();
    pid
}

/// Exit code, or signal as a negative number.
fn ending(child: &mut Child) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let status = poll("exit", || child.try_wait().unwrap());
    status.code().unwrap_or_else(|| -status.signal().unwrap())
}
