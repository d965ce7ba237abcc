//! What only our own command line has, or has otherwise: against our own agent.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::side::{self, Side};
use crate::agent::PROGRAM;
use crate::docker::IMAGE;
use crate::{blocking_turn, host, skip};

pub(super) fn ours(test: &str) -> Option<Side> {
    match Side::ours() {
        Ok(side) => Some(side),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

pub(super) fn command(side: &Side, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("--socket").arg(side.agent().socket());
    command.args(arguments);
    command
}

pub(super) fn say(side: &Side, arguments: &[&str]) -> String {
    host::stdout(&mut command(side, arguments))
}

pub(super) fn refuse(side: &Side, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(side, arguments).output().unwrap();
    assert!(!status.success(), "{arguments:?}");
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_directory_in_the_oci_layout_is_loaded() {
    let test = "a_directory_in_the_oci_layout_is_loaded";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let [skopeo, umoci] = match host::programs(["skopeo", "umoci"]) {
        Ok(found) => found,
        Err(reason) => return skip(test, &reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    say(&side, &["save", "--output", &path("saved.tar"), IMAGE]);
    let mut copy = Command::new(skopeo);
    copy.args(["--insecure-policy", "copy"]);
    copy.arg(format!("docker-archive:{}", path("saved.tar")));
    copy.arg(format!("oci:{}:copied:1", path("layout")));
    host::stdout(&mut copy);
    let told = say(&side, &["load", "--input", &path("layout")]);
    assert_eq!(told, "Loaded image: copied:1");
    let said = say(&side, &["run", "--rm", "copied:1", "echo", "from a layout"]);
    assert_eq!(said, "from a layout");

    // Changed by somebody else, who gives tags and no names.
    let file = side::file(dir.path(), "inserted", "by umoci\n");
    let umoci = |arguments: &[&str]| host::stdout(Command::new(&umoci).args(arguments));
    let layout = path("other");
    umoci(&["init", "--layout", &layout]);
    let image = format!("{layout}:made");
    umoci(&["new", "--image", &image]);
    let root = dir.path().join("root");
    host::rootfs(&root).unwrap();
    umoci(&["insert", "--image", &image, root.to_str().unwrap(), "/"]);
    umoci(&[
        "insert",
        "--image",
        &image,
        file.to_str().unwrap(),
        "/inserted",
    ]);
    let told = say(&side, &["load", "--input", &layout]);
    let id = told.strip_prefix("Loaded image ID: ").unwrap();
    let said = say(&side, &["run", "--rm", id, "cat", "/inserted"]);
    assert_eq!(said, "by umoci");
    say(&side, &["rmi", "--force", "copied:1", id]);

    fs::remove_file(dir.path().join("layout/oci-layout")).unwrap();
    let (status, told) = refuse(&side, &["load", "--input", &path("layout")]);
    assert_eq!(status, Some(1));
    assert!(told.contains("is no OCI layout"), "{told}");
}

/// Cgroups that somebody else made, in every hierarchy; removed on drop.
struct Foreign(Vec<PathBuf>);

impl Foreign {
    fn make(path: &str) -> Self {
        let own = host::hierarchies().into_iter();
        let directories: Vec<_> = own.map(|mount| mount.join(path)).collect();
        for directory in &directories {
            fs::create_dir(directory).unwrap();
            // v1's has none of its own until it is told.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let above = directory.parent().unwrap().join(file);
                if let (Ok(all), true) = (fs::read(above), directory.join(file).exists()) {
                    fs::write(directory.join(file), all).unwrap();
                }
            }
        }
        Self(directories)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        for directory in &self.0 {
            let _told_by_the_next_run = fs::remove_dir(directory);
        }
    }
}

#[test]
fn a_containers_cgroup_is_made_in_the_parent_that_is_asked_for() {
    let test = "a_containers_cgroup_is_made_in_the_parent_that_is_asked_for";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let name = format!("plimsoll-test-parent-{}", std::process::id());
    let parent = Foreign::make(&name);
    let limited = parent.0.iter().find(|one| one.join("pids.max").exists());
    let Some(limited) = limited else {
        return skip(test, "no hierarchy has the pids controller");
    };
    fs::write(limited.join("pids.max"), "8").unwrap();
    let asked = format!("/{name}");
    let run = [
        "run",
        "--detach",
        "--name",
        "nested",
        "--network",
        "none",
        "--cgroup-parent",
        &asked,
    ];
    // The inner shell gives up with the fork that fails.
    let line = "(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done); sleep 1000";
    say(
        &side,
        &[&run as &[&str], &[IMAGE, "sh", "-c", line]].concat(),
    );
    let id = say(&side, &["inspect", "--format", "{{.Id}}", "nested"]);
    let pid = say(&side, &["inspect", "--format", "{{.State.Pid}}", "nested"]);
    for cgroup in host::cgroups(&pid) {
        assert_eq!(cgroup, format!("/{name}/{id}"));
    }
    // The parent's limit holds, whatever the container itself has.
    host::wait_until("a fork that is refused", || {
        refused_forks(&side).contains("can't fork")
    });
    let count = fs::read_to_string(limited.join("pids.current")).unwrap();
    let count: u32 = count.trim().parse().unwrap();
    assert!((7..=8).contains(&count), "{count}");
    say(&side, &["rm", "--force", "nested"]);
    for directory in &parent.0 {
        assert!(
            directory.is_dir(),
            "{} is not ours to remove",
            directory.display()
        );
        let inside = fs::read_dir(directory).unwrap().flatten();
        let left = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        assert_eq!(left.count(), 0, "{}", directory.display());
    }
}

/// What a shell says of them is an error's.
fn refused_forks(side: &Side) -> String {
    let logs = command(side, &["logs", "nested"]).output().unwrap();
    String::from_utf8(logs.stderr).unwrap()
}

#[test]
fn what_there_is_no_driver_for_is_told_as_docker_does() {
    let test = "what_there_is_no_driver_for_is_told_as_docker_does";
    let _turn = blocking_turn();
    let Some(sides) = super::alike::sides(test) else {
        return;
    };
    let arguments = ["run", "--rm", "--gpus", "all", IMAGE, "true"];
    let [ours, oracle] = sides.each_ref().map(|side| side.see(&arguments));
    assert_eq!(ours, oracle);
    let (status, told) = refuse(&sides[0], &arguments);
    assert_eq!(status, Some(125));
    let words = "could not select device driver \"\" with capabilities: [[gpu]]";
    assert!(
        oracle.errors.contains(words) && told.contains(words),
        "{told}"
    );
}

#[test]
fn what_is_launched_is_counted() {
    let test = "what_is_launched_is_counted";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let run = ["run", "--detach", "--network", "none"];
    let with = |options: &[&'static str], command: &[&'static str]| {
        [&run as &[&str], options, &[IMAGE], command].concat()
    };
    let check = [
        "--name",
        "ill",
        "--health-cmd",
        "false",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
    ];
    say(&side, &with(&check, &["sleep", "1000"]));
    say(
        &side,
        &with(
            &["--name", "loops", "--restart", "on-failure:2"],
            &["false"],
        ),
    );
    refuse(&side, &with(&["--name", "broken"], &["nosuch"]));
    let value = |name: &str, labels: &[(&str, &str)]| {
        let samples = side.agent().scrape();
        samples.one(name, labels).map(|sample| sample.value)
    };
    let health = [("name", "ill"), ("health", "unhealthy")];
    host::wait_until("what is counted", || {
        value("plimsoll_launch_container_health", &health) == Some(1.0)
            && value("plimsoll_launch_container_restarts", &[("name", "loops")]) == Some(2.0)
            && value("plimsoll_launch_containers", &[("state", "restarting")]) == Some(0.0)
    });
    for state in ["created", "running", "exited"] {
        let filter = format!("status={state}");
        let ids = say(&side, &["ps", "--all", "--quiet", "--filter", &filter]);
        let counted = value("plimsoll_launch_containers", &[("state", state)]);
        assert_eq!(counted, Some(ids.lines().count() as f64), "{state}");
    }
    for (name, count) in [
        ("plimsoll_launch_images", 1.0),
        ("plimsoll_launch_restarts_total", 2.0),
        ("plimsoll_launch_start_duration_seconds_count", 4.0),
        ("plimsoll_launch_start_failures_total", 1.0),
        ("plimsoll_launch_shims_lost_total", 0.0),
    ] {
        assert_eq!(value(name, &[]), Some(count), "{name}");
    }
}

#[test]
fn stats_of_all_take_a_template() {
    let test = "stats_of_all_take_a_template";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    for name in ["front", "back"] {
        say(
            &side,
            &["run", "-d", "--name", name, IMAGE, "sleep", "1000"],
        );
    }
    let told = say(
        &side,
        &["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"],
    );
    let mut told: Vec<_> = told.lines().collect();
    told.sort_unstable();
    assert_eq!(told, ["back 1", "front 1"]);
    say(&side, &["rm", "-f", "front", "back"]);
}

#[test]
fn an_id_is_written_to_a_file_that_was_not_there() {
    let test = "an_id_is_written_to_a_file_that_was_not_there";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("id");
    let path = file.display().to_string();
    let run = |image| {
        [
            "run",
            "-d",
            "--rm",
            "--cidfile",
            &path,
            image,
            "sleep",
            "1000",
        ]
        .to_vec()
    };
    let (status, _) = refuse(&side, &run("nope"));
    assert_eq!(status, Some(125));
    assert!(!file.exists(), "of a container that there is not");
    let id = say(&side, &run(IMAGE));
    assert_eq!(fs::read_to_string(&file).unwrap(), id);
    let (status, told) = refuse(&side, &run(IMAGE));
    assert_eq!(status, Some(125));
    assert!(told.contains(&path), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), id);
    say(&side, &["rm", "-f", &id]);
}

#[test]
fn signals_stay_with_the_command_line_when_that_is_asked_for() {
    let test = "signals_stay_with_the_command_line_when_that_is_asked_for";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let line = ["--name", "deaf", "--network", "none", IMAGE];
    let program = [
        "sh",
        "-c",
        "trap 'exit 5' TERM; while :; do sleep 0.1; done",
    ];
    let running = || {
        let state = ["inspect", "--format", "{{.State.Running}}", "deaf"];
        command(&side, &state).output().unwrap().stdout == b"true\n"
    };
    for (options, status, goes_on) in [
        (&["--sig-proxy=false"] as &[&str], None, true),
        (&[], Some(5), false),
    ] {
        let arguments = [&["run"], options, &line, &program].concat();
        let mut client = command(&side, &arguments).spawn().unwrap();
        host::wait_until("the container", running);
        // The trap comes a moment after the start.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(client.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(client.wait().unwrap().code(), status);
        assert_eq!(running(), goes_on);
        say(&side, &["rm", "-f", "deaf"]);
    }
}
