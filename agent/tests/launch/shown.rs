//! What is shown of containers and of the runtime, beside what runc shows.

use std::path::Path;

use serde_json::{Value, json};

use crate::bundle::{Runtime, both, cgroup};
use crate::host;

/// Of one that has begun to run.
fn run(runtime: &Runtime) {
    let name = runtime.name();
    runtime.write("echo up; exec sleep 1000", &cgroup(name));
    runtime.change(|spec| {
        spec["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
        spec["linux"]["resources"]["pids"] = json!({"limit": 50});
    });
    assert!(runtime.create("a", Path::new("/dev/null")).status.success());
    assert!(runtime.output(&["start", "a"]).status.success(), "{name}");
    let pid = std::fs::read_to_string(runtime.bundle.join("pid")).unwrap();
    host::wait_until("its program", || {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.unwrap() == "sleep\n"
    });
}

fn said(runtime: &Runtime, arguments: &[&str]) -> String {
    let output = runtime.output(arguments);
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(runtime: &Runtime, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(runtime, arguments)).unwrap()
}

/// By its pointer, what is neither a list nor an object.
fn leaves(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves(value, &format!("{at}/{key}"), found);
            }
        }
        leaf => found.push((at.to_owned(), leaf.clone())),
    }
}

#[test]
fn containers_are_listed_as_runc_lists_them() {
    let Some((_dir, ours, oracle)) = both("containers_are_listed_as_runc_lists_them") else {
        return;
    };
    let [listed, expected] = [&ours, &oracle].map(|runtime| {
        assert_eq!(said(runtime, &["list", "--quiet"]), "");
        let head = said(runtime, &["list"]);
        run(runtime);
        let mut seen = vec![head.split_whitespace().map(str::to_owned).collect()];
        let look = |seen: &mut Vec<Vec<String>>| {
            let state = runtime.state("a");
            let known = |text: &str| {
                let pid = state["pid"].to_string();
                let made = state["created"].as_str().unwrap();
                let word = match text {
                    text if text == pid => "PID",
                    text if text == made => "CREATED",
                    text => text,
                };
                word.to_owned()
            };
            let table = said(runtime, &["list"]);
            seen.push(table.split_whitespace().map(known).collect());
            let mut list = parsed(runtime, &["list", "--format", "json"]);
            assert_eq!(list[0]["pid"], state["pid"]);
            for different in ["pid", "created", "ociVersion"] {
                assert_ne!(list[0][different].take(), Value::Null, "{different}");
            }
            seen.push(vec![list.to_string()]);
            seen.push(vec![said(runtime, &["list", "-q"])]);
        };
        look(&mut seen);
        assert!(runtime.output(&["kill", "a", "KILL"]).status.success());
        host::wait_until("its end", || runtime.state("a")["status"] == "stopped");
        assert_eq!(runtime.state("a")["pid"], 0);
        look(&mut seen);
        assert!(runtime.output(&["delete", "a"]).status.success());
        seen
    });
    assert_eq!(listed, expected);
}

#[test]
fn usage_is_told_in_runcs_form() {
    let Some((_dir, ours, oracle)) = both("usage_is_told_in_runcs_form") else {
        return;
    };
    let [told, expected] = [&ours, &oracle].map(|runtime| {
        run(runtime);
        let event = parsed(runtime, &["events", "--stats", "a"]);
        assert!(runtime.output(&["kill", "a", "KILL"]).status.success());
        host::wait_until("its end", || runtime.state("a")["status"] == "stopped");
        let late = runtime.output(&["events", "--stats", "a"]);
        let error = String::from_utf8(late.stderr).unwrap();
        assert!(!late.status.success(), "{}", runtime.name());
        assert!(error.contains("is not running"), "{error}");
        assert!(runtime.output(&["delete", "a"]).status.success());
        event
    });
    for at in [
        "/type",
        "/id",
        "/data/memory/usage/limit",
        "/data/pids/current",
        "/data/pids/limit",
    ] {
        let expected = expected.pointer(at);
        assert!(expected.is_some(), "{at}");
        assert_eq!(told.pointer(at), expected, "{at}");
    }
    for at in ["/data/cpu/usage/total", "/data/memory/usage/usage"] {
        assert!(told.pointer(at).unwrap().as_u64() > Some(0), "{at}");
    }
    let mut all = Vec::new();
    leaves(&told, "", &mut all);
    for (at, value) in all {
        match expected.pointer(&at) {
            Some(other) => assert_eq!(value.is_number(), other.is_number(), "{at}"),
            // It leaves out what is nothing.
            None => assert_eq!(value, json!(0), "{at}"),
        }
    }
}

#[test]
fn features_are_told_in_runcs_form() {
    let Some((_dir, ours, oracle)) = both("features_are_told_in_runcs_form") else {
        return;
    };
    let [told, expected] = [&ours, &oracle].map(|runtime| parsed(runtime, &["features"]));
    let mut all = Vec::new();
    leaves(&told, "", &mut all);
    for (at, value) in all {
        let other = expected.pointer(&at);
        match (at.as_str(), value) {
            ("/linux/namespaces", Value::Array(own)) => {
                let theirs = other.unwrap().as_array().unwrap();
                assert!(theirs.iter().all(|one| own.contains(one)), "{own:?}");
            }
            // What it is asked for it refuses.
            ("/linux/cgroup/systemd" | "/linux/cgroup/systemdUser", value) => {
                assert_eq!(value, json!(false));
            }
            ("/ociVersionMax" | "/linux/selinux/enabled" | "/linux/intelRdt/enabled", value) => {
                // Other releases of it have other ones.
                let known = other.unwrap_or(&value);
                assert_eq!(value.is_string(), known.is_string(), "{at}");
            }
            (at, value) => assert_eq!(Some(&value), other, "{at}"),
        }
    }
}
