//! Restarting systemd units, by a manager on a real bus that speaks systemd's interface.

use std::sync::atomic::Ordering;

use super::bus::{Bus, Manager};
use super::*;
use crate::support::installed;

fn restart(runner: &Runner, path: &str) -> Finished {
    runner.run(errand(1, path, nowhere(), Once::Restart))
}

#[test]
fn a_unit_is_restarted_and_waited_for() {
    let test = "a_unit_is_restarted_and_waited_for";
    if !installed(test, "dbus-daemon") {
        return;
    }
    let bus = Bus::start();
    let manager = Manager::start(&bus);
    let runner = Runner::start(Settings {
        system_bus: Some(bus.address()),
        ..Settings::default()
    });
    let start = Instant::now();
    let finished = restart(&runner, "/system.slice/good.service");
    assert!(
        done(&finished).starts_with("systemd restarted it in "),
        "{finished:?}"
    );
    assert!(
        start.elapsed() >= Duration::from_millis(100),
        "it waits for the job"
    );

    let finished = restart(&runner, "/system.slice/early.service");
    done(&finished);

    let failed = |path: &str| match restart(&runner, path).outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("{path}: {other:?}"),
    };
    let bad = failed("/system.slice/bad.service");
    assert_eq!(bad, "systemd: the job ended with `failed`");
    let missing = failed("/system.slice/missing.service");
    assert_eq!(missing, "systemd: Unit missing.service not found.");

    assert_eq!(manager.asked.restarts.load(Ordering::SeqCst), 4);
    let refused = restart(&runner, "/system.slice/session.scope").outcome;
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    assert_eq!(manager.asked.restarts.load(Ordering::SeqCst), 4);

    // The manager goes while a job is under way.
    let waiting = errand(2, "/system.slice/never.service", nowhere(), Once::Restart);
    runner.errands.run(waiting).unwrap();
    poll("request", || {
        (manager.asked.restarts.load(Ordering::SeqCst) == 5).then_some(())
    });
    drop(bus);
    let finished = runner.ends.recv_timeout(LONG).unwrap();
    assert!(
        matches!(finished.outcome, Outcome::Failed(_)),
        "{finished:?}"
    );
}

#[test]
fn without_a_bus_or_a_manager_that_is_said() {
    let test = "without_a_bus_or_a_manager_that_is_said";
    let restart = |bus: String| {
        let runner = Runner::start(Settings {
            system_bus: Some(bus),
            ..Settings::default()
        });
        match restart(&runner, "/system.slice/good.service").outcome {
            Outcome::Failed(reason) => reason,
            other => panic!("{other:?}"),
        }
    };
    let reason = restart("unix:path=/no/such/bus".into());
    assert!(reason.starts_with("systemd: no bus: "), "{reason}");
    if !installed(test, "dbus-daemon") {
        return;
    }
    let bus = Bus::start();
    let reason = restart(bus.address());
    assert!(reason.contains("org.freedesktop.systemd1"), "{reason}");
}
