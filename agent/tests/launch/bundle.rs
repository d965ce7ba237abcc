//! Bundles without an engine, beside runc: the command line itself.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Gid, setgroups};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{host, runtime, skip};

/// No group that a bundle asks for.
const FURTHER: u32 = 4321;

/// A runtime with its own state, and the bundle that both share.
pub(crate) struct Runtime {
    program: PathBuf,
    state: PathBuf,
    pub(crate) bundle: PathBuf,
}

pub(crate) fn both(test: &str) -> Option<(TempDir, Runtime, Runtime)> {
    let runc = match host::programs(["runc"]) {
        Ok([runc]) => runc,
        Err(reason) => {
            skip(test, &reason);
            return None;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle");
    if let Err(reason) = host::rootfs(&bundle.join("rootfs")) {
        skip(test, &reason);
        return None;
    }
    host::stdout(Command::new(&runc).arg("spec").arg("--bundle").arg(&bundle));
    let of = |program: PathBuf, state: &str| Runtime {
        program,
        state: dir.path().join(state),
        bundle: bundle.clone(),
    };
    let ours = of(runtime(dir.path()), "ours");
    let oracle = of(runc, "runc");
    Some((dir, ours, oracle))
}

/// A path that no other test has: to delete a container is to kill all in its cgroup.
pub(crate) fn cgroup(name: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("/plimsoll-test-oci-{}-{number}-{name}", std::process::id())
}

/// A failed test leaves nothing to the next.
impl Drop for Runtime {
    fn drop(&mut self) {
        let _gone_already = self.output(&["delete", "--force", "a"]);
    }
}

impl Runtime {
    pub(crate) fn name(&self) -> &str {
        self.program.file_name().unwrap().to_str().unwrap()
    }

    /// By somebody with a further group, which is none of its containers'.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(&self.state).stdin(Stdio::null());
        // SAFETY: one system call, on what is on the stack.
        unsafe { command.pre_exec(|| Ok(setgroups(&[Gid::from_raw(FURTHER)])?)) };
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(crate) fn write(&self, line: &str, cgroup: &str) {
        self.change(|spec| {
            spec["process"]["terminal"] = json!(false);
            spec["process"]["args"] = json!(["sh", "-c", line]);
            spec["process"]["rlimits"] = json!([]);
            spec["linux"]["cgroupsPath"] = json!(cgroup);
        });
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        let path = self.bundle.join("config.json");
        let mut spec = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut spec);
        fs::write(path, spec.to_string()).unwrap();
    }

    /// By the commands that engines use; the container's output goes to a file.
    pub(crate) fn create(&self, id: &str, log: &Path) -> Output {
        let out = fs::File::create(self.bundle.join("output")).unwrap();
        self.command()
            .arg("--log")
            .arg(log)
            .args(["--log-format", "json", "create", "--bundle"])
            .arg(&self.bundle)
            .arg("--pid-file")
            .arg(self.bundle.join("pid"))
            .arg(id)
            .stdout(out)
            .stderr(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn state(&self, id: &str) -> Value {
        let output = self.output(&["state", id]);
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_bundle_goes_through_its_stations_as_with_runc() {
    let Some((_dir, ours, oracle)) = both("a_bundle_goes_through_its_stations_as_with_runc") else {
        return;
    };
    for runtime in [&ours, &oracle] {
        let name = runtime.name();
        runtime.write(
            "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done",
            &cgroup(name),
        );
        let log = runtime.bundle.join(format!("{name}.log"));
        assert!(runtime.create("a", &log).status.success(), "{name}");
        let pid = fs::read_to_string(runtime.bundle.join("pid")).unwrap();
        let state = runtime.state("a");
        assert_eq!(state["status"], "created", "{name}");
        assert_eq!(state["pid"].to_string(), pid, "{name}");
        assert_eq!(state["bundle"], json!(runtime.bundle), "{name}");
        assert!(!runtime.create("a", &log).status.success(), "{name}: twice");
        assert!(runtime.output(&["start", "a"]).status.success(), "{name}");
        assert!(
            !runtime.output(&["start", "a"]).status.success(),
            "{name}: twice"
        );
        host::wait_until("its output", || {
            fs::read_to_string(runtime.bundle.join("output")).unwrap() == "up\n"
        });
        assert_eq!(runtime.state("a")["status"], "running", "{name}");
        let said = runtime.output(&["exec", "a", "sh", "-c", "echo in; exit 4"]);
        assert_eq!(
            (said.stdout, said.status.code()),
            (b"in\n".to_vec(), Some(4)),
            "{name}"
        );
        assert_eq!(
            runtime.output(&["exec", "a", "nonesuch"]).status.code(),
            Some(255),
            "{name}"
        );
        let pids = runtime.output(&["ps", "--format", "json", "a"]);
        let pids: Vec<u32> = serde_json::from_slice(&pids.stdout).unwrap();
        assert!(pids.contains(&pid.parse().unwrap()), "{name}");
        assert!(runtime.output(&["pause", "a"]).status.success(), "{name}");
        assert_eq!(runtime.state("a")["status"], "paused", "{name}");
        assert!(runtime.output(&["resume", "a"]).status.success(), "{name}");
        assert!(
            !runtime.output(&["delete", "a"]).status.success(),
            "{name}: it runs"
        );
        let listed = runtime.output(&["list", "--quiet"]);
        assert_eq!(listed.stdout, b"a\n", "{name}");
        assert!(
            runtime.output(&["kill", "a", "TERM"]).status.success(),
            "{name}"
        );
        host::wait_until("its end", || runtime.state("a")["status"] == "stopped");
        let late = runtime.output(&["kill", "a", "TERM"]);
        let error = String::from_utf8(late.stderr).unwrap();
        assert!(!late.status.success(), "{name}");
        assert!(error.contains("container not running"), "{name}: {error}");
        assert!(runtime.output(&["delete", "a"]).status.success(), "{name}");
        let gone = runtime.output(&["state", "a"]);
        let error = String::from_utf8(gone.stderr).unwrap();
        assert!(error.contains("does not exist"), "{name}: {error}");
        assert!(!runtime.output(&["delete", "a"]).status.success(), "{name}");
        assert!(
            runtime.output(&["delete", "--force", "a"]).status.success(),
            "{name}"
        );
    }
}

#[test]
fn the_last_line_of_the_log_says_why() {
    let Some((_dir, ours, oracle)) = both("the_last_line_of_the_log_says_why") else {
        return;
    };
    let path = ours.bundle.join("config.json");
    ours.write("true", &cgroup("log"));
    let mut spec: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    spec["process"]["args"] = json!(["nonesuch"]);
    fs::write(path, spec.to_string()).unwrap();
    for runtime in [&ours, &oracle] {
        let log = runtime.state.with_extension("log");
        assert_eq!(runtime.create("a", &log).status.code(), Some(1));
        let text = fs::read_to_string(log).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["level"], "error");
        let expected = "unable to start container process: exec: \"nonesuch\": \
                        executable file not found in $PATH";
        assert!(last["msg"].as_str().unwrap().ends_with(expected), "{last}");
        assert!(!runtime.output(&["state", "a"]).status.success());
    }
}

#[test]
fn run_passes_signals_and_status_on() {
    let Some((_dir, ours, _)) = both("run_passes_signals_and_status_on") else {
        return;
    };
    ours.write(
        "trap 'exit 3' TERM; while :; do sleep 0.01; done",
        &cgroup("run"),
    );
    let mut child = ours
        .command()
        .arg("run")
        .arg("--bundle")
        .arg(&ours.bundle)
        .arg("a")
        .spawn()
        .unwrap();
    host::wait_until("its start", || {
        let state = ours.output(&["state", "a"]);
        String::from_utf8(state.stdout).unwrap().contains("running")
    });
    // Until the shell has set its trap, the signal is no use.
    host::wait_until("its end", || {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let _ended_already = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(ours.output(&["list", "--quiet"]).stdout, b"");
}

#[test]
fn systemds_cgroup_driver_is_refused_by_name() {
    let Some((_dir, ours, _)) = both("systemds_cgroup_driver_is_refused_by_name") else {
        return;
    };
    let refused = ours.output(&["--systemd-cgroup", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("--systemd-cgroup is not supported"),
        "{error}"
    );
}

/// A bundle may leave out what it may do.
#[test]
fn what_a_bundle_does_not_give_its_processes_have_not() {
    let test = "what_a_bundle_does_not_give_its_processes_have_not";
    let Some((_dir, ours, oracle)) = both(test) else {
        return;
    };
    let devices = Path::new("/sys/fs/cgroup/devices");
    let show = "grep -E '^(Cap|Groups|Uid|Gid|Seccomp:)' /proc/self/status";
    let [told, expected] = [&ours, &oracle].map(|runtime| {
        let name = runtime.name();
        let cgroup = cgroup(name);
        let config = runtime.bundle.join("config.json");
        let mut told = Vec::new();
        for (capabilities, seccomp) in [(true, true), (true, false), (false, true)] {
            let line = format!("{show}; sleep 1000");
            runtime.write(&line, &cgroup);
            let mut spec: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
            spec["process"]["user"] = json!({"uid": 5, "gid": 6});
            let some = json!(["CAP_KILL", "CAP_CHOWN"]);
            spec["process"]["capabilities"] = match capabilities {
                true => json!({"bounding": some, "permitted": some}),
                false => Value::Null,
            };
            spec["process"]["noNewPrivileges"] = json!(false);
            spec["linux"]["resources"] = Value::Null;
            spec["linux"]["seccomp"] = match seccomp {
                true => json!({"defaultAction": "SCMP_ACT_ALLOW"}),
                false => Value::Null,
            };
            fs::write(&config, spec.to_string()).unwrap();
            assert!(runtime.create("a", Path::new("/dev/null")).status.success());
            assert!(runtime.output(&["start", "a"]).status.success(), "{name}");
            let output = runtime.bundle.join("output");
            host::wait_until("its output", || {
                fs::read_to_string(&output).unwrap().lines().count() >= 9
            });
            told.push(fs::read_to_string(output).unwrap());
            if devices.exists() {
                let list = devices.join(&cgroup[1..]).join("devices.list");
                let list = fs::read_to_string(list).unwrap();
                told.push(list.contains("a *:* rwm").to_string());
            }
            for options in [&[] as &[&str], &["--user", "7"], &["--user", "7:8"]] {
                let exec = [&["exec"], options, &["a", "sh", "-c", show]].concat();
                let output = runtime.output(&exec);
                told.push(String::from_utf8(output.stdout).unwrap());
            }
            assert!(runtime.output(&["delete", "--force", "a"]).status.success());
            // The next one finds the bundle as `runc spec` made it, but for what is set above.
        }
        told
    });
    assert_eq!(told, expected);
}
