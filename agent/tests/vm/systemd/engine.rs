//! The distribution's engines, by their command lines, and containers of theirs.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::run;
use crate::cgroups::Cgroup;
use crate::guest::poll;

/// Where the agent looks for it by default, and podman serves as root.
const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

/// What containers run: a static busybox under its names.
static ARCHIVE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new("/run/plimsoll-test-image");
    for folder in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    for applet in ["cat", "dd", "nc", "sh", "sleep"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    let archive = root.with_extension("tar");
    let (from, to) = (root.to_str().unwrap(), archive.to_str().unwrap());
    run("tar", &["-C", from, "-cf", to, "."]);
    archive
});

/// One of the engines.
pub(super) struct Engine {
    /// Its command line, and its runtime in the agent's words.
    pub(super) name: &'static str,
    /// As the engine spells it.
    pub(super) image: &'static str,
    /// Before and after the id, in the cgroup's path.
    cgroup: (&'static str, &'static str),
    /// Ends and removes a container at once.
    remove: &'static [&'static str],
}

/// With the image in it.
pub(super) static DOCKER: LazyLock<Engine> = LazyLock::new(|| {
    Engine {
        name: "docker",
        image: "plimsoll-busybox:1",
        cgroup: ("/system.slice/docker-", ".scope"),
        remove: &["rm", "--force"],
    }
    .with_image()
});
/// With its service up: labels are asked of that.
pub(super) static PODMAN: LazyLock<Engine> = LazyLock::new(|| {
    let service = ["podman", "system", "service", "--time=0"];
    run(
        "systemd-run",
        &[&["--unit=podman-api"], &service[..]].concat(),
    );
    poll("podman's service", || {
        UnixStream::connect(PODMAN_SOCKET).ok()
    });
    Engine {
        name: "podman",
        image: "localhost/plimsoll-busybox:1",
        cgroup: ("/machine.slice/libpod-", ".scope"),
        remove: &["rm", "--force", "--time", "0"],
    }
    .with_image()
});

impl Engine {
    fn with_image(self) -> Self {
        self.cli(&["import", ARCHIVE.to_str().unwrap(), self.image]);
        self
    }

    pub(super) fn cli(&self, arguments: &[&str]) -> String {
        run(self.name, arguments)
    }

    /// Starts a container in the background.
    pub(super) fn run(&self, options: &[&str], command: &[&str]) -> Container<'_> {
        let start = ["run", "--detach"];
        let id = self.cli(&[&start, options, &[self.image], command].concat());
        let pid = self.cli(&["inspect", "--format", "{{.State.Pid}}", &id]);
        Container {
            engine: self,
            id,
            pid: pid.parse().unwrap(),
        }
    }
}

fn cgroup_of(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.trim_end().strip_prefix("0::").unwrap().to_owned()
}

/// A container, removed on drop.
pub(super) struct Container<'a> {
    pub(super) engine: &'a Engine,
    pub(super) id: String,
    /// On the host, of its first process.
    pub(super) pid: u32,
}

impl Container<'_> {
    /// The cgroup path, by the engine's naming; that its process is there is the kernel's word.
    pub(super) fn path(&self) -> String {
        let (before, after) = self.engine.cgroup;
        let path = format!("{before}{}{after}", self.id);
        let of_process = cgroup_of(self.pid);
        assert!(of_process.starts_with(&path), "{of_process}: not {path}");
        path
    }

    /// What the engine has for it.
    pub(super) fn cgroup(&self) -> Cgroup {
        Cgroup::existing(&self.path())
    }

    /// Where its limits are: that of its process, which crun puts one level deeper.
    pub(super) fn inner(&self) -> Cgroup {
        Cgroup::existing(&cgroup_of(self.pid))
    }

    /// Sends SIGKILL and removes it.
    pub(super) fn remove(self) {
        drop(self);
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let mut remove = Command::new(self.engine.name);
        // It may have gone, and then there is nothing to do.
        let _ = remove.args(self.engine.remove).arg(&self.id).output();
    }
}
