//! What is said, and the exit status, when it does not work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use crate::snapshot::snapshot;
use crate::world::{World, plimsoll, text};

/// Exit status and standard error of a command that fails.
fn failure(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), errors)
}

#[test]
fn no_agent() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("plimsoll.sock");
    let expected = format!(
        "plimsoll: the agent is not running: nobody listens on {}; start it with `plimsoll agent` as \
         root, or `systemctl start plimsoll`\n",
        socket.display()
    );
    for verb in ["workloads", "stats", "events", "probes"] {
        let told = failure(plimsoll(&[verb, "--socket"]).arg(&socket));
        assert_eq!(told, (1, expected.clone()), "{verb}");
    }
    // A socket that its agent left behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert_eq!(
        failure(plimsoll(&["workloads", "--socket"]).arg(&socket)),
        (1, expected)
    );
}

#[test]
fn no_permission() {
    let world = World::new();
    let directory = world.directory.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = if nix::unistd::geteuid().is_root() {
        // Root may everything, so nobody asks; and the binary must be where nobody may read.
        let binary = directory.join("plimsoll");
        // By a process of its own: a test beside this one that forks while the copy is open for
        // writing would make it a busy text file.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_plimsoll"))
            .arg(&binary)
            .status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(binary);
        command.uid(65_534).gid(65_534);
        command
    } else {
        fs::set_permissions(&world.socket, fs::Permissions::from_mode(0o000)).unwrap();
        plimsoll(&[])
    };
    let told = failure(command.arg("workloads").arg("--socket").arg(&world.socket));
    let expected = format!(
        "plimsoll: permission denied on {}: the agent answers root only; use `sudo`\n",
        world.socket.display()
    );
    assert_eq!(told, (3, expected));
}

#[test]
fn names_that_match_nothing_or_too_much() {
    let world = World::new();
    let (status, told) = failure(&mut world.command(&["stats", "--no-stream", "wbe"]));
    let expected =
        "plimsoll: no workload is named `wbe`; `plimsoll workloads --all` lists all of them\n";
    assert_eq!((status, told.as_str()), (1, expected));

    let mut twins = snapshot(3);
    let mut twin = plimsoll::ledger::Workload::clone(&twins.workloads[1]);
    let mut identity = plimsoll::identity::Identity::clone(&twin.identity);
    identity.id = "/libpod/4c".into();
    identity.container_id = Some("4caaaaaaaaaaaaaa".into());
    twin.identity = Arc::new(identity);
    twins.workloads.push(Arc::new(twin));
    world.snapshots.send_replace(Arc::new(twins));
    let (status, told) = failure(&mut world.command(&["stats", "--no-stream", "web"]));
    let expected = "plimsoll: `web` is ambiguous: web (4c01db0b339c), web (4caaaaaaaaaa); use more of the id\n";
    assert_eq!((status, told.as_str()), (1, expected));
}

#[test]
fn an_agent_without_readings_says_so() {
    let world = World::with(snapshot(0));
    let (status, told) = failure(&mut world.command(&["workloads"]));
    let expected =
        "plimsoll: the agent is starting and has no readings yet; try again in a moment\n";
    assert_eq!((status, told.as_str()), (1, expected));
    // Probes can be looked at all the same.
    assert!(world.shown(80, &["probes"]).starts_with("PROBE"));
}

#[test]
fn wrong_usage() {
    for (arguments, words) in [
        (&["pss"][..], "unrecognized subcommand 'pss'"),
        (
            &["workloads", "--filter", "runtime=dokcer"],
            "unknown variant `dokcer`, expected one of `docker`",
        ),
        (
            &["workloads", "--filter", "x=y"],
            "unknown key `x`; keys are runtime, kind, state,",
        ),
        (
            &["events", "--filter", "class=omm"],
            "`omm` is none of cgroup, namespace",
        ),
        (
            &["events", "--since", "yesterday"],
            "`yesterday` is neither an event's number nor",
        ),
        (&["stats", "--interval", "1ms"], "the shortest is 100ms"),
        (&["man", "docs"], "there is no verb `docs`"),
    ] {
        let (status, told) = failure(&mut plimsoll(arguments));
        assert_eq!(status, 2, "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn configurations_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    let check = || {
        let mut command = plimsoll(&["agent", "--check-config", "--config"]);
        command.arg(&path);
        command
    };
    let (status, told) = failure(&mut check());
    assert_eq!(status, 2);
    assert!(told.contains("cannot be read: No such file"), "{told}");

    fs::write(
        &path,
        "[agent]\ntik = '1s'\nevent_history = -1\n[log]\nlevel = 'loud'\n",
    )
    .unwrap();
    let (status, told) = failure(&mut check());
    assert_eq!(status, 2);
    let path_shown = path.display();
    let expected = format!(
        "plimsoll: {path_shown}: agent.event_history: expected a whole number, 0 or more, not `-1`; \
         for example 10000\n\
         plimsoll: {path_shown}: agent.tik: unknown key; did you mean `tick`?\n\
         plimsoll: {path_shown}: log.level: expected one of `off`, `error`, `warn`, `info`, `debug`, \
         `trace`, not `\"loud\"`; for example \"info\"\n"
    );
    assert_eq!(told, expected);
    // The agent itself refuses it in the same words.
    let (status, told) = failure(plimsoll(&["agent", "--config"]).arg(&path));
    assert_eq!((status, told), (2, expected));

    fs::write(&path, "[agent]\ntick = '2s'\n").unwrap();
    assert_eq!(text(&check().output().unwrap()), "ok\n");
}
