//! A podman of one's own: its own storage, with runc, since crun refuses hybrid hosts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::host::{self, CgroupParents, Daemon};

pub(crate) const IMAGE: &str = "localhost/plimsoll-busybox:1";

/// Podman raises hard limits by default, which takes CAP_SYS_RESOURCE.
const LIMITS: [&str; 4] = [
    "--ulimit",
    "nofile=1024:20000",
    "--ulimit",
    "nproc=4096:32768",
];

pub(crate) struct Podman {
    dir: TempDir,
    program: PathBuf,
    service: Option<Daemon>,
    _parents: CgroupParents,
}

impl Podman {
    /// Makes the storage and imports [`IMAGE`]. The error is why it cannot run here.
    pub(crate) fn start() -> Result<Self, String> {
        let [program, _, _] = host::programs(["podman", "runc", "conmon"])?;
        let dir = tempfile::tempdir().unwrap();
        let image = host::image(dir.path())?;
        fs::write(dir.path().join("containers.conf"), "").unwrap();
        let podman = Self {
            dir,
            program,
            service: None,
            _parents: CgroupParents::watch(&["libpod_parent/conmon", "libpod_parent"]),
        };
        podman.cli(&["import", image.to_str().unwrap(), IMAGE]);
        Ok(podman)
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("podman.sock")
    }

    /// Runs a container in the background and returns its id.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> String {
        let run = ["run", "--detach", "--network", "none"];
        self.cli(&[&run, &LIMITS[..], options, &[IMAGE], command].concat())
    }

    /// Process id of the container's first process, on the host.
    pub(crate) fn pid(&self, container: &str) -> String {
        self.cli(&["inspect", "--format", "{{.State.Pid}}", container])
    }

    /// Standard output of a podman command that must succeed.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        host::stdout(self.command().args(arguments))
    }

    /// Serves the API on [`Podman::socket`].
    pub(crate) fn start_service(&mut self) {
        let log = self.dir.path().join("log");
        let mut command = self.command();
        command.args(["system", "service", "--time=0"]);
        command.arg(format!("unix://{}", self.socket().display()));
        let mut service = Daemon::start(&mut command, &log);
        host::wait_until("podman's service", || {
            assert!(service.is_running(), "podman ended: {}", host::tail(&log));
            std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
        });
        self.service = Some(service);
    }

    pub(crate) fn command(&self) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new(&self.program);
        command
            .env_remove("CONTAINER_HOST")
            .env("CONTAINERS_CONF", dir.join("containers.conf"))
            .arg("--root")
            .arg(self.storage())
            .arg("--runroot")
            .arg(dir.join("run"))
            .arg("--tmpdir")
            .arg(dir.join("tmp"))
            .args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"])
            .args(["--events-backend", "file"]);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.service = None;
        for all in [["pod", "rm"].as_slice(), &["rm", "--time", "0"]] {
            let _best_effort = self.command().args(all).args(["--all", "--force"]).output();
        }
        host::clear(self.dir.path());
    }
}
