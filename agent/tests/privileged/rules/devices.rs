//! Device rules, asked by opens of a process in the cgroup.
#![allow(clippy::unwrap_used)]

use plimsoll::kernel::{CgroupRules, DeviceKind, DeviceRule};

use super::wire::id;
use crate::support::{OwnCgroup, V2};

/// Opens the device for reading and for writing: which of the two it may.
fn may(own: &mut OwnCgroup, device: &str) -> (bool, bool) {
    let mut opens = |redirection: &str| {
        let script = format!("exec 3{redirection}{device}");
        let process = own.spawn("sh", &["-c", &script]).id();
        own.wait(process).success()
    };
    (opens("<"), opens(">"))
}

fn rule(allow: bool, minor: Option<u32>, access: &str) -> DeviceRule {
    DeviceRule {
        allow,
        kind: DeviceKind::Char,
        // The memory devices: /dev/null is 3, /dev/zero 5, /dev/full 7.
        major: Some(1),
        minor,
        access: access.to_owned(),
    }
}

#[test]
fn the_last_rule_that_matches_decides() {
    let test = "the_last_rule_that_matches_decides";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut rules = CgroupRules::new();
    let list = [
        rule(false, None, "rwm"),
        rule(true, Some(3), "rw"),
        rule(true, Some(5), "r"),
    ];
    rules
        .set_devices(own.directory(V2), id(&own), &list)
        .unwrap();
    assert_eq!(may(&mut own, "/dev/null"), (true, true));
    assert_eq!(may(&mut own, "/dev/zero"), (true, false));
    assert_eq!(may(&mut own, "/dev/full"), (false, false));
    // Another major: no rule matches.
    assert_eq!(may(&mut own, "/dev/ptmx"), (true, true));
    // A call each: shells open nothing else of these.
    let counted = rules.counters(own.directory(V2), id(&own)).unwrap();
    assert_eq!(counted.device_denied, 3);
    // Two lists must both allow: the one of a cgroup above holds here too.
    let mut below = own.nested("below");
    rules
        .set_devices(
            below.directory(V2),
            id(&below),
            &[rule(false, Some(3), "w")],
        )
        .unwrap();
    assert_eq!(may(&mut below, "/dev/null"), (true, false));
    assert_eq!(may(&mut below, "/dev/full"), (false, false));

    rules.clear_devices(own.directory(V2), id(&own)).unwrap();
    assert_eq!(may(&mut own, "/dev/full"), (true, true));
}
