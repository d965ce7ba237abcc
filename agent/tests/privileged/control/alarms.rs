//! What the kernel is asked to tell, it tells, and not before.

use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use plimsoll::cgroup::{Alarm, AlarmError, Resource, Stall, may_watch_pressure};

use super::World;
use crate::support::own_cgroup::V2;
use crate::support::{OwnCgroup, skip};

const MIB: u64 = 1 << 20;
/// What goes off does so within this, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
const A_MOMENT: Duration = Duration::from_millis(200);

fn goes_off(alarm: &Alarm, within: Duration) -> bool {
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    epoll.add(alarm, EpollEvent::new(alarm.flags(), 0)).unwrap();
    let within = EpollTimeout::try_from(within).unwrap();
    epoll.wait(&mut [EpollEvent::empty()], within).unwrap() > 0
}

#[test]
fn usage_that_crosses_its_line_is_told() {
    let test = "usage_that_crosses_its_line_is_told";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let placement = world.placement_of(&world.own);
    let alarm = match Alarm::usage(&world.layout, &placement, 16 * MIB) {
        Err(AlarmError::NotHere(reason)) => return skip(test, reason),
        other => other.unwrap(),
    };
    let dd = |size| ["if=/dev/zero", "of=/dev/null", size, "count=1"];
    world.own.run("dd", &dd("bs=4M"));
    assert!(!goes_off(&alarm, A_MOMENT), "below its line");
    world.own.run("dd", &dd("bs=32M"));
    assert!(goes_off(&alarm, PATIENCE));
}

#[test]
fn a_limit_that_is_met_is_told() {
    let test = "a_limit_that_is_met_is_told";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let placement = world.placement_of(&world.own);
    let alarm = match Alarm::memory_events(&world.layout, &placement) {
        Err(AlarmError::NotHere(reason)) => return skip(test, reason),
        other => other.unwrap(),
    };
    let dd = ["if=/dev/zero", "of=/dev/null", "bs=32M", "count=1"];
    world.own.run("dd", &dd);
    assert!(!goes_off(&alarm, A_MOMENT), "there is no limit");
    world.own.write(V2, "memory.max", "16777216");
    // Killed, unless there is swap.
    world.own.spawn("dd", &dd).wait().unwrap();
    assert!(goes_off(&alarm, PATIENCE));
    alarm.hear();
    assert!(!goes_off(&alarm, A_MOMENT), "heard");
}

/// Who needs more than all CPUs waits for them.
#[test]
fn a_stall_is_told() {
    let test = "a_stall_is_told";
    let Some(own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut world = World {
        own,
        layout: plimsoll::cgroup::Layout::detect().unwrap(),
    };
    // Others may ask for this window only.
    let window = Duration::from_millis(if may_watch_pressure() { 500 } else { 2_000 });
    let stall = Stall {
        resource: Resource::Cpu,
        full: false,
        stalled: window / 10,
        window,
    };
    let placement = world.placement_of(&world.own);
    let alarm = match Alarm::pressure(&world.layout, &placement, stall) {
        Ok(alarm) => alarm,
        Err(error) if !may_watch_pressure() => {
            return skip(test, &format!("without CAP_SYS_RESOURCE: {error}"));
        }
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    };
    assert!(!goes_off(&alarm, A_MOMENT), "nobody is there to wait");
    let cpus = std::thread::available_parallelism().unwrap().get();
    for _ in 0..4 * cpus {
        world.own.spawn("sh", &["-c", "while :; do :; done"]);
    }
    assert!(goes_off(&alarm, PATIENCE));
    let pressure = world.own.read(V2, "cpu.pressure");
    let total = pressure
        .lines()
        .next()
        .unwrap()
        .rsplit_once("total=")
        .unwrap();
    let total_us: u128 = total.1.parse().unwrap();
    assert!(total_us >= stall.stalled.as_micros(), "{pressure}");
}
