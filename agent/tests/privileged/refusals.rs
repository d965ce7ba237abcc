//! What the agent does not start without: the message and the exit status of each.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::process::Command;

use crate::support::{Agent, Settings, installed};

const USAGE: i32 = 2;
const MISSING: i32 = 3;
const IN_USE: i32 = 4;

/// The start fails with this status, and each of the words is in what is printed.
fn refused(test: &str, settings: &Settings, status: i32, words: &[&str]) {
    let Some(mut agent) = Agent::spawn(test, settings) else {
        return;
    };
    let (ended, log) = agent.outcome();
    assert_eq!(ended.code(), Some(status), "{log}");
    for word in words {
        assert!(log.contains(word), "no `{word}` in: {log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn another_user_is_told_to_be_root() {
    let test = "another_user_is_told_to_be_root";
    if !installed(test, "setpriv") {
        return;
    }
    let settings = Settings {
        // Only so that it can read the binary and its configuration wherever they are.
        through: [
            "setpriv",
            "--reuid=65534",
            "--clear-groups",
            "--regid=65534",
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
        ]
        .map(String::from)
        .to_vec(),
        ..Settings::default()
    };
    let words = ["must run as root", "65534", "sudo plimsoll agent"];
    refused(test, &settings, MISSING, &words);
}

#[test]
fn missing_capabilities_are_named() {
    let test = "missing_capabilities_are_named";
    if !installed(test, "setpriv") {
        return;
    }
    let settings = Settings {
        through: ["setpriv", "--bounding-set=-net_admin,-sys_ptrace"]
            .map(String::from)
            .to_vec(),
        ..Settings::default()
    };
    let words = ["lacks CAP_NET_ADMIN, CAP_SYS_PTRACE;"];
    refused(test, &settings, MISSING, &words);
}

#[test]
fn a_taken_port_is_named() {
    let test = "a_taken_port_is_named";
    let holder = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    let settings = Settings {
        port: Some(port),
        ..Settings::default()
    };
    let address = format!("127.0.0.1:{port}");
    let words = [address.as_str(), "metrics.listen", "in use"];
    refused(test, &settings, IN_USE, &words);
}

#[test]
fn a_live_agents_socket_is_left_alone() {
    let test = "a_live_agents_socket_is_left_alone";
    let Some(first) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let settings = Settings {
        socket: Some(first.socket()),
        ..Settings::default()
    };
    let socket = first.socket();
    let words = ["another agent listens on", socket.to_str().unwrap()];
    refused(test, &settings, IN_USE, &words);
    first.next_tick();
}

#[test]
fn a_kernel_without_types_is_named() {
    let test = "a_kernel_without_types_is_named";
    let settings = Settings {
        // `unshare` makes all mounts private: nobody else sees this one.
        through: [
            "unshare",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"",
            "sh",
        ]
        .map(String::from)
        .to_vec(),
        ..Settings::default()
    };
    let words = ["no BTF", "CONFIG_DEBUG_INFO_BTF"];
    refused(test, &settings, MISSING, &words);
}

#[test]
fn a_host_without_cgroups_is_named() {
    let test = "a_host_without_cgroups_is_named";
    let settings = Settings {
        through: [
            "unshare",
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"",
            "sh",
        ]
        .map(String::from)
        .to_vec(),
        ..Settings::default()
    };
    refused(
        test,
        &settings,
        MISSING,
        &["no cgroup file system is mounted"],
    );
}

/// Exit status and complaint of `plimsoll agent` with such a file.
fn configured(path: &std::path::Path, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["agent", "--config"])
        .arg(path)
        .args(more)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_bad_configuration_is_told_in_full() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent.toml");
    // A directory can be opened, and not be read.
    for unreadable in [absent.as_path(), directory.path()] {
        for more in [&[][..], &["--check-config"]] {
            let (status, complaint) = configured(unreadable, more);
            assert_eq!(status, Some(USAGE), "{complaint}");
            assert!(
                complaint.contains(unreadable.to_str().unwrap()),
                "{complaint}"
            );
        }
    }
    let wrong = directory.path().join("wrong.toml");
    let text = "[agent]\ntick = \"1ms\"\ntack = 1\n[metrics]\nlisten = \"here\"\n";
    std::fs::write(&wrong, text).unwrap();
    for more in [&[][..], &["--check-config"]] {
        let (status, complaint) = configured(&wrong, more);
        assert_eq!(status, Some(USAGE), "{complaint}");
        for key in ["agent.tick", "agent.tack", "metrics.listen"] {
            assert!(complaint.contains(key), "no {key} in: {complaint}");
        }
    }
    std::fs::write(&wrong, "[agent]\ntick = \"2s\"\n").unwrap();
    assert_eq!(configured(&wrong, &["--check-config"]).0, Some(0));
}
