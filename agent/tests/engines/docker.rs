//! A docker of one's own: dockerd with its own containerd, and either no bridge and no firewall rules,
//! or both in a network namespace of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::host::{self, CgroupParents, Daemon};

pub(crate) const IMAGE: &str = "plimsoll-busybox:1";

/// What a dockerd that shares the host's network namespace must leave alone.
const NO_NETWORK: [&str; 5] = [
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-masq=false",
    "--ip-forward=false",
];

pub(crate) struct Docker {
    dir: TempDir,
    dockerd: PathBuf,
    cli: PathBuf,
    options: Vec<String>,
    /// In a network namespace of its own, with docker's default bridge.
    has_network: bool,
    daemon: Option<Daemon>,
    _parents: CgroupParents,
}

/// A container that is removed on drop.
pub(crate) struct Container<'a> {
    docker: &'a Docker,
    pub(crate) id: String,
}

impl Docker {
    /// One with a network, for all who ask while somebody has it.
    pub(crate) fn shared() -> Result<Arc<Self>, String> {
        static SHARED: Mutex<Weak<Docker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(docker) = shared.upgrade() {
            return Ok(docker);
        }
        host::programs(["unshare", "ip", "iptables"])?;
        let docker = Arc::new(Self::start_with(&[], true)?);
        *shared = Arc::downgrade(&docker);
        Ok(docker)
    }

    /// Starts dockerd with further `options` and imports [`IMAGE`]. The error is why it cannot run
    /// here.
    pub(crate) fn start(options: &[&str]) -> Result<Self, String> {
        Self::start_with(options, false)
    }

    fn start_with(options: &[&str], has_network: bool) -> Result<Self, String> {
        let [dockerd, cli, _, _] = host::programs(["dockerd", "docker", "containerd", "runc"])?;
        let dir = tempfile::tempdir().unwrap();
        let image = host::image(dir.path())?;
        let mut docker = Self {
            dir,
            dockerd,
            cli,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            has_network,
            daemon: None,
            _parents: CgroupParents::watch(&["docker"]),
        };
        docker.start_daemon();
        docker.cli(&["import", image.to_str().unwrap(), IMAGE]);
        Ok(docker)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// Runs a container in the background and returns its id.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> String {
        self.run_in("none", options, command)
    }

    fn run_in(&self, network: &str, options: &[&str], command: &[&str]) -> String {
        let run = ["run", "--detach", "--network", network];
        self.cli(&[&run, options, &[IMAGE], command].concat())
    }

    /// Runs a container in the background, in a network of docker's.
    pub(crate) fn container(
        &self,
        network: &str,
        options: &[&str],
        command: &[&str],
    ) -> Container<'_> {
        let id = self.run_in(network, options, command);
        Container { docker: self, id }
    }

    /// Process id of the container's first process, on the host.
    pub(crate) fn pid(&self, container: &str) -> String {
        self.cli(&["inspect", "--format", "{{.State.Pid}}", container])
    }

    /// Standard output of a docker command that must succeed.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        host::stdout(self.command().args(arguments))
    }

    pub(crate) fn start_daemon(&mut self) {
        let dir = self.dir.path();
        let log = dir.join("log");
        let mut command = if self.has_network {
            let mut command = Command::new("unshare");
            let start = "ip link set lo up && exec \"$@\"";
            command.args(["--net", "sh", "-c", start, "sh"]);
            command.arg(&self.dockerd);
            command
        } else {
            let mut command = Command::new(&self.dockerd);
            command.args(NO_NETWORK);
            command
        };
        command
            // Without it, 20.10 asks for a pivot_root that an initial ramdisk as root refuses.
            .env("DOCKER_RAMDISK", "true")
            .arg("--data-root")
            .arg(dir.join("data"))
            .arg("--exec-root")
            .arg(dir.join("exec"))
            .arg("--pidfile")
            .arg(dir.join("pid"))
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()))
            .args(&self.options);
        let mut daemon = Daemon::start(&mut command, &log);
        host::wait_until("dockerd", || {
            assert!(daemon.is_running(), "dockerd ended: {}", host::tail(&log));
            self.command()
                .arg("version")
                .output()
                .is_ok_and(|version| version.status.success())
        });
        self.daemon = Some(daemon);
    }

    /// Ends dockerd; containers live on with `--live-restore`.
    pub(crate) fn stop_daemon(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.cli);
        command
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .env("DOCKER_CONFIG", self.dir.path().join("config"))
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()));
        command
    }
}

impl Container<'_> {
    /// Process id of its first process, on the host.
    pub(crate) fn pid(&self) -> String {
        self.docker.pid(&self.id)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let mut command = self.docker.command();
        let _gone_already = command.args(["rm", "--force", &self.id]).output();
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if self.daemon.is_none() {
            // Containers outlive a dockerd that a test stopped; without one again they would stay.
            let start = std::panic::AssertUnwindSafe(|| self.start_daemon());
            let _best_effort = std::panic::catch_unwind(start);
        }
        if let Ok(list) = self.command().args(["ps", "--all", "--quiet"]).output() {
            let ids = String::from_utf8_lossy(&list.stdout).into_owned();
            let _best_effort = self
                .command()
                .args(["rm", "--force"])
                .args(ids.split_whitespace())
                .output();
        }
        self.stop_daemon();
        host::clear(self.dir.path());
    }
}
