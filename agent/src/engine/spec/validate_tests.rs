//! Refusals, in Docker's words where it has some.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use serde_json::{Value, json};

use super::*;

fn refusal(body: Value) -> String {
    let body: ContainerCreateBody = serde_json::from_value(body).unwrap();
    validate(&body).map_or_else(|error| error.to_string(), |()| String::new())
}

fn host(host: Value) -> String {
    refusal(json!({"HostConfig": host}))
}

#[test]
fn a_common_container_passes() {
    assert_eq!(refusal(json!({})), "");
    let common = json!({
        "Image": "busybox", "Hostname": "h", "Env": ["A=1", "B"], "WorkingDir": "/w", "User": "1:1",
        "StopSignal": "SIGQUIT", "Tty": true,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_000_000_000},
        "HostConfig": {
            "Memory": 67_108_864, "NanoCpus": 500_000_000, "PidsLimit": 10, "OomScoreAdj": 100,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "NetworkMode": "bridge", "PidMode": "", "IpcMode": "private", "UTSMode": "",
            "CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
            "Binds": ["/etc:/host:ro"], "Tmpfs": {"/run": "size=1m"}, "ExtraHosts": ["a:1.2.3.4"],
            "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "ShmSize": 1_048_576,
            "Sysctls": {"net.ipv4.ip_forward": "1"},
            "Annotations": {"plimsoll.memory-high": "512m", "plimsoll.time-offset": "boottime=5"},
            "MaskedPaths": null, "ReadonlyPaths": null, "ConsoleSize": [0, 0], "Isolation": ""
        }
    });
    assert_eq!(refusal(common), "");
}

#[test]
fn restarting_and_removing_exclude_each_other() {
    for name in ["always", "unless-stopped", "on-failure"] {
        assert_eq!(
            host(json!({"AutoRemove": true, "RestartPolicy": {"Name": name}})),
            "can't create 'AutoRemove' container with restart policy"
        );
    }
    assert_eq!(
        host(json!({"AutoRemove": true, "RestartPolicy": {"Name": "no"}})),
        ""
    );
    assert!(
        host(json!({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 1}}))
            .ends_with("can only be used with 'on-failure'")
    );
    assert!(
        host(json!({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}))
            .ends_with("cannot be negative")
    );
}

#[test]
fn words_of_the_process_have_a_form() {
    assert_eq!(
        refusal(json!({"Env": ["=1"]})),
        "invalid environment variable: =1"
    );
    assert_eq!(
        refusal(json!({"StopSignal": "SIGNONE"})),
        "invalid signal: SIGNONE"
    );
    assert_eq!(refusal(json!({"StopSignal": "15"})), "");
    assert!(refusal(json!({"WorkingDir": "w"})).contains("needs to be an absolute path"));
    assert!(refusal(json!({"Hostname": "h".repeat(65)})).starts_with("invalid hostname"));
}

#[test]
fn health_checks_have_a_form() {
    let health = |health: Value| refusal(json!({"Healthcheck": health}));
    assert_eq!(
        health(json!({"Test": ["CMD", "x"], "Timeout": 5})),
        "Timeout in Healthcheck cannot be less than 1ms"
    );
    assert_eq!(
        health(json!({"Retries": -1})),
        "Retries in Healthcheck cannot be negative"
    );
    assert_eq!(health(json!({"Test": ["NONE"]})), "");
    assert!(health(json!({"Test": ["x"]})).starts_with("Unknown type \"x\""));
    assert_eq!(
        health(json!({"Test": ["CMD"]})),
        "Healthcheck has no command"
    );
}

#[test]
fn network_of_another_brings_its_own_names_and_ports() {
    let joined = |mut host: Value, body: Value| {
        host["NetworkMode"] = json!("container:other");
        let mut whole = body;
        whole["HostConfig"] = host;
        refusal(whole)
    };
    assert_eq!(joined(json!({}), json!({})), "");
    let cases = [
        (
            json!({}),
            json!({"Hostname": "h"}),
            "hostname and the network mode",
        ),
        (
            json!({"Dns": ["1.1.1.1"]}),
            json!({}),
            "dns and the network mode",
        ),
        (
            json!({"ExtraHosts": ["a:1.1.1.1"]}),
            json!({}),
            "custom host-to-IP mapping and the network mode",
        ),
        (
            json!({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}),
            json!({}),
            "port publishing and the container type network mode",
        ),
    ];
    for (host, body, words) in cases {
        assert_eq!(joined(host, body), format!("conflicting options: {words}"));
    }
    assert!(
        host(json!({"NetworkMode": "host", "Links": ["a:b"]})).contains("can't be used with links")
    );
    assert_eq!(
        host(json!({"NetworkMode": "net", "Links": ["a:b", "c"]})),
        ""
    );
    assert_eq!(
        host(json!({"NetworkMode": "net", "Links": ["a:b:c"]})),
        "bad format for links: a:b:c"
    );
    for mode in ["", "default", "bridge", "none"] {
        let refused = host(json!({"NetworkMode": mode, "Links": ["a:b"]}));
        assert!(refused.contains("--link is not supported"), "{mode}");
    }
    assert_eq!(
        refusal(json!({"Hostname": "h", "HostConfig": {"UTSMode": "host"}})),
        "conflicting options: hostname and the UTS mode"
    );
    assert_eq!(
        host(json!({"ExtraHosts": ["a"]})),
        "bad format for add-host: \"a\""
    );
    assert_eq!(
        host(json!({"ExtraHosts": ["a:b"]})),
        "invalid IP address in add-host: \"b\""
    );
    assert_eq!(
        host(json!({"ExtraHosts": ["a:host-gateway", "b:::1", "c=[::1]"]})),
        ""
    );
}

#[test]
fn users_of_ones_own_need_namespaces_of_ones_own() {
    assert_eq!(host(json!({"UsernsMode": "private"})), "");
    assert!(
        host(json!({"UsernsMode": "private", "Privileged": true}))
            .starts_with("privileged mode is incompatible with user namespaces")
    );
    assert_eq!(
        host(json!({"UsernsMode": "private", "NetworkMode": "host"})),
        "cannot share the host's network namespace when user namespaces are enabled"
    );
    assert_eq!(
        host(json!({"UsernsMode": "private", "PidMode": "container:x"})),
        "cannot share another container's PID namespace when user namespaces are enabled"
    );
    let moved = json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/void"}]);
    assert!(host(json!({"UsernsMode": "private", "Devices": moved})).contains("another path"));
}

#[test]
fn each_part_is_asked() {
    for (part, words) in [
        (json!({"PidMode": "x"}), "invalid PID mode: x"),
        (
            json!({"CapAdd": ["X"]}),
            "invalid CapAdd: unknown capability: \"CAP_X\"",
        ),
        (
            json!({"CapDrop": ["X"]}),
            "invalid CapDrop: unknown capability: \"CAP_X\"",
        ),
        (
            json!({"SecurityOpt": ["x"]}),
            "invalid --security-opt 1: \"x\"",
        ),
        (json!({"Memory": 5}), "Minimum memory limit allowed is 6MB"),
        (
            json!({"OomScoreAdj": 1001}),
            "Invalid value 1001, range for oom score adj is [-1000, 1000]",
        ),
        (json!({"ShmSize": -1}), "SHM size can not be less than 0"),
        (
            json!({"Ulimits": [{"Name": "x"}]}),
            "invalid ulimit type: x",
        ),
        (
            json!({"DeviceCgroupRules": ["x"]}),
            "invalid device cgroup rule format: 'x'",
        ),
        (
            json!({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}),
            "could not select device driver \"\" with capabilities: [[gpu]]",
        ),
    ] {
        assert_eq!(host(part), words);
    }
    for part in [
        json!({"SecurityOpt": ["seccomp={"]}),
        json!({"Sysctls": {"kernel.panic": "1"}}),
        json!({"Isolation": "hyperv"}),
        json!({"StorageOpt": {"size": "1G"}}),
        json!({"Annotations": {"plimsoll.memory-high": "much"}}),
        json!({"Annotations": {"plimsoll.time-offset": "x"}}),
        json!({"Annotations": {"": "x"}}),
        json!({"Binds": ["x"]}),
    ] {
        assert_ne!(host(part.clone()), "", "{part}");
    }
}

#[test]
fn an_update_is_refused_for_what_it_can_change_alone() {
    let update = |host: Value| {
        let host: HostConfig = serde_json::from_value(host).unwrap();
        validate_update(&host).map_or_else(|error| error.to_string(), |()| String::new())
    };
    // What was completed when it was created would not be taken from a client.
    let joined = json!({"NetworkMode": "container:x", "ExtraHosts": ["a:1.2.3.4"], "CpuShares": 5});
    assert_eq!(update(joined), "");
    assert!(update(json!({"Memory": 1})).starts_with("Minimum memory limit"));
    let both = json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}});
    assert!(update(both).starts_with("can't create"));
}
