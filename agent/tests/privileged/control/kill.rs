//! Signals and death.

use std::time::Duration;

use nix::sys::signal::Signal;
use plimsoll::cgroup::Setting;

use super::World;
use crate::support::poll;

const MANY: &str = "i=0; while [ $i -lt 64 ]; do i=$((i+1)); sleep 60 & done; wait";

fn alive(world: &World) -> usize {
    world.control().processes(true).unwrap().len()
}

#[test]
fn sixty_five_processes_die_with_those_below() {
    let test = "sixty_five_processes_die_with_those_below";
    let Some(mut world) = World::make(test, &["freezer", "pids"]) else {
        return;
    };
    let mut nested = world.own.nested("below");
    nested.spawn("sleep", &["60"]);
    world.own.spawn("sh", &["-c", MANY]);
    let control = world.control();
    poll("66 processes", || (alive(&world) == 66).then_some(()));
    let killed = control.kill_all().unwrap();
    eprintln!("{killed:?}");
    assert_eq!(killed.processes, 66);
    assert_eq!(world.text("pids", "cgroup.procs", "cgroup.procs"), "");
    assert_eq!(
        nested.read(
            if World::is_v1("pids") {
                "pids"
            } else {
                "cgroup2"
            },
            "cgroup.procs"
        ),
        ""
    );
    assert_eq!(control.kill_all().unwrap().processes, 0);
}

#[test]
fn the_frozen_die_too() {
    let Some(mut world) = World::make("the_frozen_die_too", &["freezer"]) else {
        return;
    };
    let mut nested = world.own.nested("below");
    let process = nested.spawn("sleep", &["60"]).id();
    world.own.spawn("sleep", &["60"]);
    let (control, below) = (world.control(), world.control_of(&nested));
    poll("two processes", || (alive(&world) == 2).then_some(()));
    below.write(&Setting::Freeze(true)).unwrap();
    control.write(&Setting::Freeze(true)).unwrap();
    assert_eq!(control.kill_all().unwrap().processes, 2);
    assert!(!below.signal(process, Signal::SIGTERM as i32).unwrap());
}

#[test]
fn who_forks_all_the_time_does_not_get_away() {
    let test = "who_forks_all_the_time_does_not_get_away";
    let Some(mut world) = World::make(test, &["freezer", "pids"]) else {
        return;
    };
    let control = world.control();
    // Should it get away after all, it gets not far.
    control.write(&Setting::PidsMax(Some(400))).unwrap();
    let forks = "while :; do sleep 0.3 & sleep 0.3 & sleep 0.01; done";
    for _ in 0..2 {
        world.own.spawn("sh", &["-c", forks]);
    }
    poll("a crowd", || (alive(&world) >= 12).then_some(()));
    let killed = control.kill_all().unwrap();
    assert!(killed.processes > 0);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(alive(&world), 0);
}

#[test]
fn a_signal_reaches_all_and_only_the_workloads() {
    let test = "a_signal_reaches_all_and_only_the_workloads";
    let Some(mut world) = World::make(test, &["freezer"]) else {
        return;
    };
    let control = world.control();
    let mut outside = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let first = world.own.spawn("sleep", &["60"]).id();
    world.own.spawn("sleep", &["60"]);
    poll("two processes", || (alive(&world) == 2).then_some(()));
    let term = Signal::SIGTERM as i32;
    assert!(!control.signal(outside.id(), term).unwrap());
    assert!(outside.try_wait().unwrap().is_none());
    assert!(control.signal(first, term).unwrap());
    poll("one process", || (alive(&world) == 1).then_some(()));
    assert_eq!(control.signal_all(term).unwrap(), 1);
    poll("no process", || (alive(&world) == 0).then_some(()));
    outside.kill().unwrap();
    outside.wait().unwrap();
}
