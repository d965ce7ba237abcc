//! Whose processes, users, clocks and names a container sees.

use std::fs;
use std::path::PathBuf;

use plimsoll::engine::spec::Joined;
use plimsoll::launch::shim::Stdio;
use serde_json::json;

use super::workload::{Ready, say, specification, stop, told};
use crate::launch::bundle::Dock;
use crate::support::skip;

#[test]
fn namespaces_are_its_own_or_the_hosts() {
    let Some(dock) = Dock::new("namespaces_are_its_own_or_the_hosts") else {
        return;
    };
    let line = "for one in net pid ipc uts mnt user cgroup; do readlink /proc/self/ns/$one; done; hostname";
    let of_host = |kind: &str| {
        let path = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = told(&dock, "a", line, &json!({"CgroupnsMode": "private"}));
    for kind in ["net", "pid", "ipc", "uts", "mnt", "cgroup"] {
        assert!(!own.contains(&of_host(kind)), "{kind}: {own}");
    }
    assert!(own.contains(&of_host("user")), "{own}");
    assert!(own.ends_with("inside\n"), "{own}");
    let hosts = json!({"NetworkMode": "host", "PidMode": "host", "IpcMode": "host", "UTSMode": "host",
        "CgroupnsMode": "host"});
    let shared = told(&dock, "b", line, &hosts);
    for kind in ["net", "pid", "ipc", "uts", "cgroup"] {
        assert!(shared.contains(&of_host(kind)), "{kind}: {shared}");
    }
}

#[test]
fn the_loopback_interface_is_up_in_a_network_of_its_own() {
    let Some(dock) = Dock::new("the_loopback_interface_is_up_in_a_network_of_its_own") else {
        return;
    };
    let line = "ls /sys/class/net; cat /sys/class/net/lo/flags";
    let none = json!({"HostConfig": {"NetworkMode": "none"}});
    // IFF_UP and IFF_LOOPBACK, as runc leaves it.
    let said = say(&dock, "a", line, &none, &Ready::default());
    assert_eq!(said, ("lo\n0x9\n".to_owned(), 0));
}

#[test]
fn namespaces_of_another_are_joined() {
    let Some(dock) = Dock::new("namespaces_of_another_are_joined") else {
        return;
    };
    let (first, _) = specification(&dock, "a", "sleep 1000", &json!({}), &Ready::default());
    let mut held = dock
        .create("a", "", Stdio::Null, |spec| *spec = first)
        .unwrap();
    held.start().unwrap();
    let pid = held.made.process.pid;
    let namespace = |kind: &str| Some(PathBuf::from(format!("/proc/{pid}/ns/{kind}")));
    let ready = Ready {
        join: Joined {
            network: namespace("net"),
            ipc: namespace("ipc"),
            pid: namespace("pid"),
            uts: namespace("uts"),
            shm: None,
        },
        ..Ready::default()
    };
    let body = json!({"HostConfig": {"NetworkMode": "container:a", "PidMode": "container:a",
        "IpcMode": "container:a", "UTSMode": "container:a"}});
    let line = "for one in net pid ipc uts; do readlink /proc/self/ns/$one; done; \
                tr '\\0' ' ' < /proc/1/cmdline; hostname";
    let (said, code) = say(&dock, "b", line, &body, &ready);
    assert_eq!(code, 0, "{said}");
    for kind in ["net", "pid", "ipc", "uts"] {
        let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert!(said.contains(link.to_str().unwrap()), "{kind}: {said}");
    }
    assert!(said.contains("sleep 1000"), "{said}");
    assert!(said.ends_with("inside\n"), "{said}");
    stop(held);
}

#[test]
fn root_inside_is_nobody_outside() {
    let Some(dock) = Dock::new("root_inside_is_nobody_outside") else {
        return;
    };
    if !std::path::Path::new("/proc/self/ns/user").exists() {
        skip(
            "root_inside_is_nobody_outside",
            "this kernel has no user namespaces",
        );
        return;
    }
    let secret = dock.file("rootfs").join("secret");
    fs::write(&secret, "outside\n").unwrap();
    std::os::unix::fs::chown(&secret, Some(0), Some(0)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&secret, mode).unwrap();
    // The directories above the root are private to the test: others have to come through.
    for above in [dock.directory.path(), dock.file("rootfs").as_path()] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(above, mode).unwrap();
    }
    let line =
        "id -u; tr -s ' ' < /proc/self/uid_map; cat /secret 2>&1; echo x > /dev/null && echo wrote";
    let (said, _) = say(
        &dock,
        "a",
        line,
        &json!({"HostConfig": {"UsernsMode": "private"}}),
        &Ready::default(),
    );
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("0"), "{said}");
    let map: Vec<u32> = lines
        .next()
        .unwrap()
        .split_whitespace()
        .map(|one| one.parse().unwrap())
        .collect();
    assert!(
        map[0] == 0 && map[1] >= 100_000 && map[2] == 65_536,
        "{said}"
    );
    assert!(said.contains("Permission denied"), "{said}");
    assert!(said.contains("wrote"), "{said}");
}

#[test]
fn clocks_are_ahead_by_the_offset() {
    let Some(dock) = Dock::new("clocks_are_ahead_by_the_offset") else {
        return;
    };
    if !std::path::Path::new("/proc/self/ns/time").exists() {
        skip(
            "clocks_are_ahead_by_the_offset",
            "this kernel has no time namespaces",
        );
        return;
    }
    let body = json!({"Annotations": {"plimsoll.time-offset": "monotonic=90000,boottime=90000"}});
    let inside = told(&dock, "a", "cat /proc/uptime", &body);
    let seconds = |text: &str| {
        text.split(['.', ' '])
            .next()
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    let outside = seconds(&fs::read_to_string("/proc/uptime").unwrap());
    let ahead = seconds(&inside) - outside;
    assert!((89_940..=90_000).contains(&ahead), "{ahead}");
}

#[test]
fn an_init_is_the_first_process() {
    let Some(dock) = Dock::new("an_init_is_the_first_process") else {
        return;
    };
    let statics = [
        "/usr/bin/docker-init",
        "/usr/bin/tini-static",
        "/usr/bin/catatonit",
    ];
    if !statics
        .iter()
        .any(|path| std::path::Path::new(path).exists())
    {
        skip(
            "an_init_is_the_first_process",
            "no static init is installed",
        );
        return;
    }
    let said = told(
        &dock,
        "a",
        "cat /proc/1/comm; tr '\\0' ' ' < /proc/1/cmdline",
        &json!({"Init": true}),
    );
    assert!(said.starts_with("docker-init\n"), "{said}");
    assert!(said.contains("/sbin/docker-init -- sh -c"), "{said}");
}
