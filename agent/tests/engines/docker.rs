//! A docker of one's own: dockerd with its own containerd, no bridge, no firewall rules.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::host::{self, CgroupParents, Daemon};

pub(crate) const IMAGE: &str = "plimsoll-busybox:1";

pub(crate) struct Docker {
    dir: TempDir,
    dockerd: PathBuf,
    cli: PathBuf,
    options: Vec<String>,
    daemon: Option<Daemon>,
    _parents: CgroupParents,
}

impl Docker {
    /// Starts dockerd with further `options` and imports [`IMAGE`]. The error is why it cannot run
    /// here.
    pub(crate) fn start(options: &[&str]) -> Result<Self, String> {
        let [dockerd, cli, _, _] = host::programs(["dockerd", "docker", "containerd", "runc"])?;
        let dir = tempfile::tempdir().unwrap();
        let image = host::image(dir.path())?;
        let mut docker = Self {
            dir,
            dockerd,
            cli,
            options: options.iter().map(|&option| option.to_owned()).collect(),
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
        let run = ["run", "--detach", "--network", "none"];
        self.cli(&[&run, options, &[IMAGE], command].concat())
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
        let mut command = Command::new(&self.dockerd);
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
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--ip-masq=false", "--ip-forward=false"])
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

    fn command(&self) -> Command {
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

impl Drop for Docker {
    fn drop(&mut self) {
        if self.daemon.is_none() && !std::thread::panicking() {
            self.start_daemon();
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
