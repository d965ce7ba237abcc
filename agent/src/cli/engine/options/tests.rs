//! The bodies that Docker's own command line (28.2) sends for the same options, as a listening socket
//! recorded them: `tests/fixtures/cli/docker-create.json`, without what says nothing (0, "", null, empty).

#![allow(clippy::unwrap_used)]

use clap::{Args as _, Command, FromArgMatches as _};
use serde::Deserialize;
use serde_json::Value;

use super::super::super::switches::with_value;
use super::ContainerArgs;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cli");
const RECORDED: &str = include_str!("../../../../tests/fixtures/cli/docker-create.json");

#[derive(Deserialize)]
struct Recorded {
    arguments: Vec<String>,
    body: Value,
}

fn parse(arguments: &[String]) -> Result<ContainerArgs, String> {
    let command = Command::new("create")
        .no_binary_name(true)
        .disable_help_flag(true);
    let command = ContainerArgs::augment_args(command);
    let has_values = arguments
        .iter()
        .any(|argument| argument.ends_with("=true") || argument.ends_with("=false"));
    let command = if has_values {
        command.mut_args(with_value)
    } else {
        command
    };
    let matches = command
        .try_get_matches_from(arguments)
        .map_err(|error| error.to_string())?;
    ContainerArgs::from_arg_matches(&matches).map_err(|error| error.to_string())
}

fn body(arguments: &[String]) -> Result<Value, String> {
    let body = parse(arguments)?.body();
    let body = body.map_err(|failure| failure.lines().join("; "))?;
    Ok(serde_json::to_value(body).unwrap())
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(ToString::to_string).collect()
}

/// Without what means the same as if it were not there.
fn meaningful(value: Value) -> Value {
    let Value::Object(fields) = value else {
        return match value {
            Value::Array(values) => values.into_iter().map(meaningful).collect(),
            value => value,
        };
    };
    let said = fields.into_iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            // Here a name alone says something, and no list is not an empty one.
            "ExposedPorts" | "Volumes" | "Tmpfs" | "Labels" => value,
            "MaskedPaths" | "ReadonlyPaths" => return Some((name, value)),
            "ConsoleSize" => return None,
            _ => meaningful(value),
        };
        let silent = match &value {
            Value::Null | Value::Bool(false) => true,
            Value::Number(number) => number.as_i64() == Some(0) && name != "MemorySwappiness",
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(true) => false,
        };
        (!silent).then_some((name, value))
    });
    Value::Object(said.collect())
}

#[test]
fn bodies_are_those_of_docker() {
    let cwd = std::env::current_dir().unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    let recorded = RECORDED
        .replace("@DIR@", DIR)
        .replace("@CWD@", cwd.to_str().unwrap())
        .replace("@HOME@", &home);
    let recorded: Vec<Recorded> = serde_json::from_str(&recorded).unwrap();
    assert!(recorded.len() > 100);
    for Recorded {
        arguments,
        body: expected,
    } in recorded
    {
        if arguments.iter().any(|argument| argument == "HOME") && home.is_empty() {
            continue;
        }
        let made = meaningful(body(&arguments).unwrap());
        assert_eq!(made, meaningful(expected), "{arguments:?}");
    }
}

#[test]
fn what_docker_has_no_word_for_is_annotated() {
    let arguments = [
        "--rootfs",
        "/srv/root:rw",
        "--memory-high",
        "48m",
        "--net-egress",
        "20Mbit",
        "--net-ingress",
        "1Mbit",
        "--annotation",
        "a=b",
        "sh",
        "-c",
        "true",
    ];
    let body = body(&owned(&arguments)).unwrap();
    assert_eq!(body["Image"], Value::Null);
    assert_eq!(body["Cmd"], serde_json::json!(["sh", "-c", "true"]));
    let expected = serde_json::json!({
        "plimsoll.rootfs": "/srv/root", "plimsoll.rootfs-mode": "direct", "a": "b",
        "plimsoll.memory-high": "48m", "plimsoll.net-egress": "20Mbit",
        "plimsoll.net-ingress": "1Mbit",
    });
    assert_eq!(body["HostConfig"]["Annotations"], expected);
}

#[test]
fn options_that_are_refused() {
    for (arguments, why) in [
        (&["-m", "x"][..], "invalid size: 'x'"),
        (&["--cpus", "x"], "number of CPUs"),
        (&["-v", "/a:"], "empty section between colons"),
        (&["-e", "=x"], "invalid environment variable"),
        (&["--env-file", "/nope"], "/nope: No such file"),
        (&["--pid", "foo"], "invalid PID mode"),
        (&["--uts", "foo"], "invalid UTS mode"),
        (&["--uts", "container:"], "invalid UTS mode"),
        (&["--userns", "foo"], "invalid USER mode"),
        (&["--cgroupns", "foo"], "invalid CGROUP mode"),
        (&["--device", "/dev/x:/dev/y:q"], "bad mode specified: q"),
        (
            &["--device-cgroup-rule", "x"],
            "invalid device cgroup format",
        ),
        (&["--add-host", "x"], "bad format for add-host"),
        (&["--sysctl", "x"], "name=value"),
        (&["--health-interval", "x"], "no duration"),
        (&["--security-opt", "foo"], "Invalid --security-opt"),
        (
            &["--security-opt", "seccomp=/nope"],
            "seccomp profile (/nope)",
        ),
        (
            &["--no-healthcheck", "--health-cmd", "x"],
            "conflicts with --health-*",
        ),
        (&["--dns", "foo"], "invalid IP address"),
        (&["--mac-address", "zz"], "not a valid mac address"),
        (&["--restart", "always", "--rm"], "both --restart and --rm"),
        (&["--restart", "always:3"], "only be used with 'on-failure'"),
        (&["--memory-swappiness", "200"], "200 is not in 0..=100"),
        (
            &["--network", "host", "--network-alias", "x"],
            "user-defined networks",
        ),
        (&["--device-read-bps", "x"], "bad format"),
        (&["--shm-size", "x"], "invalid size"),
        (&["-l", "=x"], "no name"),
        (
            &["--log-driver", "none", "--log-opt", "a=b"],
            "invalid logging opts",
        ),
        (&["--pull", "always"], "fetching images is not there yet"),
        (&["--wat"], "unexpected argument '--wat'"),
    ] {
        let arguments = [&owned(arguments)[..], &owned(&["busybox"])[..]].concat();
        let error = body(&arguments).unwrap_err();
        assert!(error.contains(why), "{arguments:?}: {error}");
    }
    assert!(body(&[]).unwrap_err().contains("an image is missing"));
}

#[test]
fn namespaces_of_other_containers() {
    let arguments = [
        "--uts",
        "container:web",
        "--pid",
        "container:web",
        "busybox",
    ];
    let body = body(&owned(&arguments)).unwrap();
    assert_eq!(body["HostConfig"]["UTSMode"], "container:web");
    assert_eq!(body["HostConfig"]["PidMode"], "container:web");
}

#[test]
fn what_has_no_meaning_here_is_taken_or_passed_on() {
    let arguments = [
        "-q",
        "--disable-content-trust",
        "--platform",
        "linux/amd64",
        "--runtime",
        "crun",
        "busybox",
        "-q",
    ];
    let parsed = parse(&owned(&arguments)).unwrap();
    assert_eq!(parsed.platform.as_deref(), Some("linux/amd64"));
    let body = body(&owned(&arguments)).unwrap();
    assert_eq!(body["HostConfig"]["Runtime"], "crun");
    assert_eq!(body["Cmd"], serde_json::json!(["-q"]));
    let explicit = ["--quiet", "--disable-content-trust=false", "busybox"];
    assert!(parse(&owned(&explicit)).is_ok());
}

#[test]
fn streams_are_chosen() {
    let attached = |arguments: &[&str]| {
        let body = body(&owned(&[arguments, &["image"]].concat())).unwrap();
        ["AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin"].map(|key| body[key] == true)
    };
    assert_eq!(attached(&[]), [false, true, true, false]);
    assert_eq!(attached(&["-i"]), [true, true, true, true]);
    assert_eq!(
        attached(&["-i", "-a", "STDOUT"]),
        [false, true, false, true]
    );
    assert_eq!(
        attached(&["-a", "stdin", "-a", "stderr"]),
        [true, false, true, false]
    );
    assert!(parse(&owned(&["-a", "nope", "image"])).is_err());
}

#[test]
fn a_policy_is_named_by_a_label_and_volumes_come_from_others() {
    let arguments = [
        "--policy",
        "batch",
        "-l",
        "a=b",
        "--volumes-from",
        "one:ro",
        "image",
    ];
    let body = body(&owned(&arguments)).unwrap();
    let labels = serde_json::json!({"plimsoll.policy": "batch", "a": "b"});
    assert_eq!(body["Labels"], labels);
    assert_eq!(
        body["HostConfig"]["VolumesFrom"],
        serde_json::json!(["one:ro"])
    );
    assert!(parse(&owned(&["--link", "one:alias", "image"])).is_err());
}
