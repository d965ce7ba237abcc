//! Devices asked for, against the host's own `/dev`.
#![allow(clippy::unwrap_used)]

use super::*;

fn mapping(source: &str, target: &str, access: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(source.to_owned()),
        path_in_container: Some(target.to_owned()),
        cgroup_permissions: Some(access.to_owned()),
    }
}

fn host(devices: Vec<DeviceMapping>, rules: &[&str]) -> HostConfig {
    HostConfig {
        devices: Some(devices),
        device_cgroup_rules: Some(rules.iter().map(|&rule| rule.to_owned()).collect()),
        ..Default::default()
    }
}

fn shown(rule: &LinuxDeviceCgroup) -> String {
    let number = |number: Option<i64>| number.map_or("*".to_owned(), |number| number.to_string());
    let kind = rule.typ().unwrap();
    let access = rule.access().clone().unwrap();
    let verb = if rule.allow() { "allow" } else { "deny" };
    format!(
        "{verb} {} {}:{} {access}",
        kind.as_str(),
        number(rule.major()),
        number(rule.minor())
    )
}

#[test]
fn a_device_gets_a_node_and_a_rule_after_nothing_is_allowed() {
    let host = host(
        vec![mapping("/dev/null", "/dev/x/../void", "r")],
        &["c 10:* rw", "b *:* m"],
    );
    validate(&host).unwrap();
    let devices = Devices::of(&host).unwrap();
    let [node] = devices.nodes.as_slice() else {
        panic!("{devices:?}")
    };
    assert_eq!(node.path(), Path::new("/dev/void"));
    assert_eq!(
        (node.major(), node.minor(), node.typ()),
        (1, 3, LinuxDeviceType::C)
    );
    assert_eq!(node.file_mode(), Some(0o666));
    let rules: Vec<_> = devices.rules.iter().map(shown).collect();
    assert_eq!(
        rules,
        [
            "deny a *:* rwm",
            "allow c 1:3 r",
            "allow c 10:* rw",
            "allow b *:* m"
        ]
    );
}

#[test]
fn a_directory_is_all_its_devices() {
    let devices = Devices::of(&host(vec![mapping("/dev", "/dev/host", "rwm")], &[])).unwrap();
    let paths: Vec<_> = devices
        .nodes
        .iter()
        .map(|node| node.path().as_path())
        .collect();
    assert!(paths.contains(&Path::new("/dev/host/null")), "{paths:?}");
    assert!(
        !paths.iter().any(|path| path.starts_with("/dev/host/pts")),
        "{paths:?}"
    );
    assert_eq!(devices.rules.len(), devices.nodes.len() + 1);
}

#[test]
fn privileged_is_all_the_hosts_devices_and_one_rule() {
    let host = HostConfig {
        privileged: Some(true),
        ..Default::default()
    };
    let devices = Devices::of(&host).unwrap();
    assert_eq!(
        devices.rules.iter().map(shown).collect::<Vec<_>>(),
        ["allow a *:* rwm"]
    );
    assert!(
        devices
            .nodes
            .iter()
            .any(|node| node.path() == Path::new("/dev/full"))
    );
    assert!(
        !devices
            .nodes
            .iter()
            .any(|node| node.path() == Path::new(CONSOLE))
    );
}

#[test]
fn what_is_no_device_is_refused_in_dockers_words() {
    let error = Devices::of(&host(vec![mapping("/dev/nonesuch", "", "")], &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error gathering device information while adding custom device \"/dev/nonesuch\": no such \
         file or directory"
    );
    let error = Devices::of(&host(vec![mapping("/etc/passwd", "/dev/p", "r")], &[])).unwrap_err();
    assert!(error.to_string().ends_with("not a device node"), "{error}");
    for wrong in [
        "x 1:3 r",
        "c 1 r",
        "c 1:3",
        "c 1:3 rx",
        "c 1:3 rrww",
        "c -1:3 r",
    ] {
        let error = validate(&host(Vec::new(), &[wrong]))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("invalid device cgroup rule format: '{wrong}'")
        );
    }
    assert!(validate(&host(vec![mapping("/dev/null", "/etc/null", "r")], &[])).is_err());
    assert!(validate(&host(vec![mapping("/dev/null", "/dev/null", "q")], &[])).is_err());
}

#[test]
fn only_block_devices_have_limits() {
    assert!(
        numbers("/dev/null")
            .unwrap_err()
            .to_string()
            .contains("not a block device")
    );
    assert!(numbers("/dev/nonesuch").is_err());
}
