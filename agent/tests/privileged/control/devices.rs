//! v1's device lists.

use plimsoll::cgroup::{DeviceChange, DeviceEntry, DeviceType};

use super::World;
use crate::support::{OwnCgroup, poll, skip};

fn zero(allow: bool, access: &str) -> DeviceChange {
    DeviceChange {
        allow,
        entry: DeviceEntry {
            kind: DeviceType::Char,
            major: Some(1),
            minor: Some(5),
            access: access.to_owned(),
        },
    }
}

fn may_read_zero(own: &mut OwnCgroup) -> bool {
    let child = own.spawn("head", &["-c", "1", "/dev/zero"]);
    child.wait().unwrap().success()
}

fn make(test: &str) -> Option<World> {
    if !World::is_v1("devices") {
        skip(test, "devices are not on v1; on v2 a BPF program decides");
        return None;
    }
    World::make(test, &["devices"])
}

#[test]
fn a_denied_device_is_allowed_again() {
    let Some(mut world) = make("a_denied_device_is_allowed_again") else {
        return;
    };
    let control = world.control();
    let changes = [zero(false, "rwm")];
    let before = control.devices().unwrap();
    assert!(may_read_zero(&mut world.own));
    control.change_devices(&changes).unwrap();
    assert!(!may_read_zero(&mut world.own));
    control.restore_devices(&before, &changes).unwrap();
    assert!(may_read_zero(&mut world.own));
}

#[test]
fn a_list_comes_back_with_those_below() {
    let Some(world) = make("a_list_comes_back_with_those_below") else {
        return;
    };
    // With cgroups below, v1 no longer denies all at once; one made later has the same list.
    world.own.write("devices", "devices.deny", "a");
    for line in ["c 1:3 rwm", "c 1:5 rw", "c 136:* rw", "b *:* m"] {
        world.own.write("devices", "devices.allow", line);
    }
    let nested = world.own.nested("below");
    let lists = || {
        let sorted = |own: &OwnCgroup| {
            let text = own.read("devices", "devices.list");
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        (sorted(&world.own), sorted(&nested))
    };
    let texts = lists();
    let control = world.control();
    let before = control.devices().unwrap();
    assert_eq!(before.len(), 2);
    let changes = [zero(false, "w"), zero(true, "m")];
    control.change_devices(&changes).unwrap();
    assert_ne!(lists(), texts);
    assert!(lists().0.contains(&"c 1:5 rm".to_owned()), "{:?}", lists());
    control.restore_devices(&before, &changes).unwrap();
    poll("the lists", || (lists() == texts).then_some(()));
    // A terminal is allowed by an entry for all of them, which v1 does not split.
    let mut terminal = zero(false, "r");
    (terminal.entry.major, terminal.entry.minor) = (Some(136), Some(1));
    let error = control.change_devices(&[terminal]).unwrap_err();
    assert!(
        error.to_string().contains("allowed by c 136:* rw"),
        "{error}"
    );
    assert_eq!(lists(), texts);
}
