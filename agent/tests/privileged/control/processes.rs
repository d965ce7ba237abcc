//! Which processes are the workload's.

use plimsoll::cgroup::ControlError;

use super::World;
use crate::support::poll;

#[test]
fn the_first_and_the_largest_are_found() {
    let Some(mut world) = World::make("the_first_and_the_largest_are_found", &["pids"]) else {
        return;
    };
    let control = world.control();
    assert!(control.processes(true).unwrap().is_empty());
    assert_eq!(control.main_process().unwrap(), None);
    let first = world.own.spawn("sleep", &["60"]).id();
    poll("the first", || {
        control
            .processes(true)
            .unwrap()
            .contains(&first)
            .then_some(())
    });
    // Ages are in clock ticks.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut nested = world.own.nested("below");
    // It blocks with the block in its memory: nobody reads.
    let hold = "dd if=/dev/zero bs=16M 2>/dev/null | sleep 60";
    nested.spawn("sh", &["-c", hold]);
    let largest = poll("the largest", || {
        let largest = control.largest_process().unwrap()?;
        let name = std::fs::read_to_string(format!("/proc/{largest}/comm")).ok()?;
        (name.trim() == "dd").then_some(largest)
    });
    assert_ne!(largest, first);
    assert_eq!(control.main_process().unwrap(), Some(first));
    assert_eq!(control.processes(false).unwrap(), [first]);
    poll("four processes", || {
        (control.processes(true).unwrap().len() == 4).then_some(())
    });
    drop(nested);
}

#[test]
fn a_cgroup_made_again_is_another() {
    let Some(mut world) = World::make("a_cgroup_made_again_is_another", &["pids"]) else {
        return;
    };
    let control = world.control();
    let keys = control.keys().clone();
    let hierarchy = if World::is_v1("pids") {
        "pids"
    } else {
        crate::support::V2
    };
    world.own.remove();
    world.own.make_again(&[hierarchy]);
    for gone in [
        control.processes(true).map(drop),
        control.kill_all().map(drop),
        control.read(plimsoll::cgroup::Knob::PidsMax).map(drop),
        control
            .write(&plimsoll::cgroup::Setting::PidsMax(Some(3)))
            .map(drop),
    ] {
        assert!(matches!(gone, Err(ControlError::Vanished(_))), "{gone:?}");
    }
    assert_ne!(*world.control().keys(), keys);
}
