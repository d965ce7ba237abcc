//! The number of tasks.

use plimsoll::cgroup::{Knob, Setting};

use super::World;
use crate::support::poll;

#[test]
fn fork_fails_beyond_the_limit() {
    let Some(mut world) = World::make("fork_fails_beyond_the_limit", &["pids"]) else {
        return;
    };
    let control = world.control();
    let limit = Setting::PidsMax(Some(4));
    assert_eq!(control.write(&limit).unwrap(), limit);
    assert_eq!(world.text("pids", "pids.max", "pids.max"), "4");
    let forks = "i=0; while [ $i -lt 8 ]; do i=$((i+1)); sleep 60 & done; wait";
    world.own.spawn("sh", &["-c", forks]);
    poll("a failed fork", || {
        (world.field("pids", "pids.events", "max") > 0).then_some(())
    });
    let now = world.number("pids", "pids.current", "pids.current");
    assert!((1..=4).contains(&now), "{now} tasks");
    control.write(&Setting::PidsMax(None)).unwrap();
    assert_eq!(control.read(Knob::PidsMax).unwrap(), Setting::PidsMax(None));
    assert_eq!(world.text("pids", "pids.max", "pids.max"), "max");
}
