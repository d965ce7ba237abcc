//! podman, by its monitor conmon.

use std::process::Command;

use crate::podman::{IMAGE, Podman};
use crate::{runtime, skip};

#[test]
fn podman_runs_enters_and_removes_containers() {
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => return skip("podman_runs_enters_and_removes_containers", &reason),
    };
    let directory = tempfile::tempdir().unwrap();
    let path = runtime(directory.path());
    let through = |arguments: &[&str]| {
        let mut command: Command = podman.command();
        // The last one given is in force.
        command.arg("--runtime").arg(&path).args(arguments);
        command.output().unwrap()
    };
    let run = ["run", "--rm", "--network=none"];
    for (command, expected) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 42"], 42),
        (&["nonesuch"], 127),
        (&["/etc"], 126),
    ] {
        let output = through(&[&run[..], &[IMAGE], command].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{command:?}: {errors}"
        );
    }
    let detached = ["run", "--detach", "--network=none", IMAGE, "sleep", "1000"];
    let output = through(&detached);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let exec = through(&[
        "exec",
        &id,
        "sh",
        "-c",
        "grep Seccomp: /proc/self/status; exit 3",
    ]);
    assert_eq!(exec.status.code(), Some(3));
    assert_eq!(String::from_utf8(exec.stdout).unwrap(), "Seccomp:\t2\n");
    let pid = podman.pid(&id);
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    for line in cgroups.lines() {
        assert!(line.contains(&id), "{cgroups}");
    }
    let removed = through(&["rm", "--force", "--time=0", &id]);
    assert!(removed.status.success());
}
