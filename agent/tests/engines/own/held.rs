//! What limits and policies hold of containers, from their start on.

use std::process::Output;

use super::alike::{compare, sides};
use super::ours::{command, ours, say};
use super::side::Side;
use crate::agent::Config;
use crate::docker::IMAGE;
use crate::{blocking_turn, host, skip};

#[test]
fn rates_are_held_from_the_start_until_they_are_cleared() {
    let test = "rates_are_held_from_the_start_until_they_are_cleared";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let run = ["run", "-d", "--name", "held", "--net-egress", "20Mbit"];
    say(
        &side,
        &[&run as &[&str], &[IMAGE, "sleep", "1000"]].concat(),
    );
    let told = || say(&side, &["why", "held"]);
    assert!(told().contains("egress=20000000 "), "{}", told());
    say(&side, &["limit", "held", "--clear"]);
    let limits = say(&side, &["limit", "held"]);
    assert!(!limits.contains("egress=20000000"), "{limits}");
    say(&side, &["rm", "-f", "held"]);
}

#[test]
fn rates_that_are_not_held_keep_a_container_from_its_start() {
    let test = "rates_that_are_not_held_keep_a_container_from_its_start";
    let _turn = blocking_turn();
    let monitors = Config {
        engine: true,
        monitors: true,
        ..Config::default()
    };
    let side = match Side::ours_with(&monitors) {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let run = ["run", "--net-egress", "20Mbit", IMAGE, "echo", "here"];
    let Output { stdout, stderr, .. } = command(&side, &run).output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert!(
        stdout.is_empty() && told.contains("only monitors"),
        "{told}"
    );
}

#[test]
fn a_container_is_limited_as_soon_as_it_runs() {
    let test = "a_container_is_limited_as_soon_as_it_runs";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    // From the second on there is a dead one of that name.
    for _ in 0..3 {
        say(
            &side,
            &["run", "-d", "--name", "new", IMAGE, "sleep", "1000"],
        );
        say(&side, &["limit", "new", "--memory", "64MiB"]);
        let limits = say(&side, &["limit", "new"]);
        assert!(limits.contains("memory.max 67108864"), "{limits}");
        say(&side, &["rm", "-f", "new"]);
    }
}

#[test]
fn a_policy_that_is_asked_for_holds_the_container() {
    let test = "a_policy_that_is_asked_for_holds_the_container";
    let _turn = blocking_turn();
    let Some(mut side) = ours(test) else { return };
    side.agent_mut().hold_by(
        r#"
        version = 1
        mode = "enforce"
        [[policy]]
        name = "small"
        match = { labels = { "plimsoll.policy" = "small" } }
        [policy.limits]
        "pids.max" = 7
        "#,
    );
    let run = |name, options: &[&str]| {
        let line = ["run", "-d", "--name", name, "--network", "none"];
        say(
            &side,
            &[&line as &[&str], options, &[IMAGE, "sleep", "1000"]].concat(),
        );
    };
    run("asked", &["--policy", "small"]);
    run("other", &[]);
    let limits = |name| say(&side, &["limit", name]);
    host::wait_until("the policy's limit", || {
        limits("asked").contains("pids.max 7")
    });
    assert!(
        !limits("other").contains("pids.max 7"),
        "{}",
        limits("other")
    );
    let why = say(&side, &["why", "asked"]);
    assert!(why.contains("small"), "{why}");
    say(&side, &["rm", "-f", "asked", "other"]);
}

#[test]
fn updates_are_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("updates_are_dockers") else {
        return;
    };
    let run = |options: &[&'static str]| {
        let run = ["run", "-d", "--network", "none"];
        [&run as &[&str], options, &[IMAGE, "sleep", "1000"]].concat()
    };
    let limits: &[&str] = &[
        "inspect",
        "--format",
        "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}} \
         {{.HostConfig.RestartPolicy.Name}}",
        "one",
        "other",
        "named",
    ];
    let joins = ["run", "-d", "--name", "other", "--network", "container:one"];
    compare(
        &sides,
        &[
            &run(&["--name", "one", "-m", "64m"]),
            &[&joins as &[&str], &[IMAGE, "sleep", "1000"]].concat(),
            &run(&["--name", "named", "--uts", "host"]),
            limits,
            &["update", "--memory-swap", "256m", "one"],
            limits,
            &["update", "--memory", "128m", "one"],
            &["update", "--memory", "512m", "one"],
            limits,
            &[
                "update",
                "--restart",
                "always",
                "--cpu-shares",
                "512",
                "other",
            ],
            &[
                "update",
                "--restart",
                "on-failure:3",
                "--cpu-shares",
                "256",
                "named",
            ],
            limits,
            &["rm", "-f", "other", "one", "named"],
        ],
    );
}

#[test]
fn rates_of_a_disk_are_dockers() {
    let test = "rates_of_a_disk_are_dockers";
    let _turn = blocking_turn();
    let Some(sides) = sides(test) else { return };
    let disks = std::fs::read_dir("/sys/block").unwrap().flatten();
    let mut disks = disks.map(|disk| format!("/dev/{}", disk.file_name().display()));
    let Some(disk) = disks.find(|disk| std::path::Path::new(disk).exists()) else {
        return skip(test, "there is no disk");
    };
    let show = "cd /sys/fs/cgroup/blkio && grep . blkio.throttle.*_device";
    for (option, rate) in [
        ("--device-read-bps", "1mb"),
        ("--device-write-bps", "2mb"),
        ("--device-read-iops", "100"),
        ("--device-write-iops", "200"),
    ] {
        let rate = format!("{disk}:{rate}");
        let run = ["run", "--rm", option, &rate, IMAGE, "sh", "-c", show];
        compare(&sides, &[&run]);
        let seen = sides[0].see(&run);
        assert_eq!(seen.output.lines().count(), 1, "{seen:?}");
    }
    // 127 of the second at the oracle's, which takes it for a program that is not there.
    for refused in [&format!("{disk}:fast") as &str, "/dev/nonesuch:1mb"] {
        let run = ["run", "--rm", "--device-read-bps", refused, IMAGE, "true"];
        assert_eq!(sides[0].see(&run).status, Some(125), "{refused}");
    }
}
