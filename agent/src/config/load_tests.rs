#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn empty_is_all_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(parse("[agent]\n[log]\n").unwrap(), Config::default());
}

#[test]
fn values_are_taken_and_the_rest_stays_default() {
    let config = parse("agent.tick = '500ms'\n[metrics]\nlisten = '[::1]:9000'\n").unwrap();
    assert_eq!(config.agent.tick, Duration::from_millis(500));
    assert_eq!(config.metrics.listen, "[::1]:9000".parse().unwrap());
    assert_eq!(config.containers, Config::default().containers);
}

#[test]
fn syntax_errors_have_line_and_column() {
    let found = problems("[agent]\ntick = 1s\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("line 2, column "), "{found:?}");
    let found = problems("[agent]\ntick = '1s'\ntick = '2s'\n");
    assert!(found[0].starts_with("line 3, column 1: "), "{found:?}");
}

#[test]
fn unknown_keys_get_a_suggestion() {
    assert_eq!(
        problems("[agent]\ntik = '1s'\n"),
        ["agent.tik: unknown key; did you mean `tick`?"]
    );
    assert_eq!(
        problems("[metrcs]\nlisten = '127.0.0.1:1'\n"),
        ["metrcs: unknown section; did you mean `metrics`?"]
    );
    assert_eq!(problems("[agent]\nzzz = 1\n"), ["agent.zzz: unknown key"]);
    assert_eq!(problems("qqq = 1\n"), ["qqq: unknown key"]);
}

#[test]
fn wrong_types_say_what_is_expected() {
    for (text, expected) in [
        ("agent = 3", "agent: expected a section, `[agent]`, not `3`"),
        (
            "agent.tick = 5",
            "agent.tick: expected a duration, not `5`; for example \"1s\"",
        ),
        (
            "agent.tick = 'soon'",
            "agent.tick: expected a duration, not `\"soon\"`; for example \"1s\"",
        ),
        (
            "agent.event_history = -1",
            "agent.event_history: expected a whole number, 0 or more, not `-1`; for example 10000",
        ),
        (
            "probes.network = 'yes'",
            "probes.network: expected `true` or `false`, not `\"yes\"`; for example true",
        ),
        (
            "metrics.listen = 'localhost'",
            "metrics.listen: invalid socket address syntax, not `\"localhost\"`; \
             for example \"127.0.0.1:9470\"",
        ),
        (
            "containers.whitelisted_container_labels = 'app'",
            "containers.whitelisted_container_labels: expected a list, not `\"app\"`; for example []",
        ),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
    }
}

#[test]
fn words_are_listed() {
    let found = problems("log.level = 'loud'");
    let expected = "log.level: expected one of `off`, `error`, `warn`, `info`, `debug`, `trace`, \
                    not `\"loud\"`; for example \"info\"";
    assert_eq!(found, [expected]);
}

#[test]
fn values_out_of_range_say_the_range() {
    for (text, expected) in [
        (
            "agent.tick = '99ms'",
            "agent.tick: 99ms is out of range; expected 100ms to 1m",
        ),
        (
            "agent.tick = '61s'\nagent.idle_refresh = '2m'",
            "agent.tick: 1m 1s is out of range; expected 100ms to 1m",
        ),
        (
            "agent.idle_refresh = '900ms'",
            "agent.idle_refresh: 900ms is shorter than agent.tick (1s); expected at least that",
        ),
        (
            "agent.tick = '20s'",
            "agent.idle_refresh: 10s is shorter than agent.tick (20s); expected at least that",
        ),
        (
            "agent.event_history = 1000001",
            "agent.event_history: 1000001 is out of range; expected 0 to 1000000",
        ),
        (
            "containers.max_workloads = 0",
            "containers.max_workloads: 0 is out of range; expected 1 or more",
        ),
        (
            "attribution.timeout = '0s'",
            "attribution.timeout: 0s is out of range; expected more",
        ),
        (
            "agent.socket = 'plimsoll.sock'",
            "agent.socket: `plimsoll.sock` must be an absolute path of at most 107 bytes",
        ),
        (
            "attribution.docker_socket = 'docker.sock'",
            "attribution.docker_socket: `docker.sock` must be an absolute path, or empty for off",
        ),
        (
            "audit.path = 'audit.jsonl'",
            "audit.path: `audit.jsonl` must be an absolute path, or empty for off",
        ),
        (
            "audit.max_bytes = 65535",
            "audit.max_bytes: 65535 is out of range; expected 65536 to 1073741824",
        ),
        (
            "enforce.state_dir = 'state'",
            "enforce.state_dir: `state` must be an absolute path",
        ),
        (
            "engine.data_dir = 'x'",
            "engine.data_dir: `x` must be an absolute path",
        ),
        (
            "engine.log_max_files = 0",
            "engine.log_max_files: 0 is out of range; expected 1 to 1000",
        ),
        (
            "audit.files = 0",
            "audit.files: 0 is out of range; expected 1 to 100",
        ),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
    }
    assert!(parse("attribution.docker_socket = ''").is_ok());
    assert!(parse("agent.tick = '60s'\nagent.idle_refresh = '60s'").is_ok());
}

#[test]
fn all_problems_come_at_once() {
    let found = problems(
        "[agent]\ntick = 'x'\nidle_refresh = '1ms'\nevent_history = 9999999\nsokcet = '/run/x'\n\
         [probes]\nnetwork = 1\noom = 'no'\n[containers]\nmax_workloads = 0\n[nothing]\n",
    );
    let places: Vec<&str> = found
        .iter()
        .filter_map(|line| line.split(": ").next())
        .collect();
    // idle_refresh is not judged against a tick that was refused.
    let expected = [
        "agent.tick",
        "agent.sokcet",
        "probes.network",
        "probes.oom",
        "nothing",
        "agent.event_history",
        "containers.max_workloads",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let places = places.into_iter().map(str::to_owned).collect();
    assert_eq!(sorted(places), sorted(expected.map(str::to_owned).to_vec()));
}

#[test]
fn files_absent_unreadable_and_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    let error = load(Some(&path)).unwrap_err().to_string();
    assert!(error.starts_with(&format!(
        "configuration {}: cannot be read: No such file",
        path.display()
    )));
    let error = load(Some(directory.path())).unwrap_err().to_string();
    assert!(error.contains("cannot be read: Is a directory"), "{error}");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = load(Some(&path)).unwrap_err().to_string();
    assert!(
        error.contains("cannot be read: stream did not contain valid UTF-8"),
        "{error}"
    );
    fs::write(&path, "[agent]\ntik = 1\n[log]\nx = 1\n").unwrap();
    let error = load(Some(&path)).unwrap_err();
    assert_eq!(error.problems.len(), 2);
    assert!(error.to_string().contains(": 2 problems: "), "{error}");
    fs::write(&path, "log.level = 'warn'").unwrap();
    assert_eq!(
        load(Some(&path)).unwrap().log.level,
        crate::config::LogLevel::Warn
    );
}
