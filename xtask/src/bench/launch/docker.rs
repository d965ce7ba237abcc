//! docker, with a daemon of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::bench::interrupt;
use crate::bench::process::Process;
use crate::command;

/// It is slow to come up.
const READY: Duration = Duration::from_secs(30);

/// A dockerd of its own, with the root file system as an image.
pub(super) struct Docker {
    socket: PathBuf,
    _daemon: Process,
}

impl Docker {
    pub(super) fn start(folder: &Path, rootfs: &Path) -> Result<Self> {
        let socket = folder.join("docker.sock");
        let own = |name: &str| folder.join("docker").join(name);
        let mut daemon = Command::new("dockerd");
        daemon
            // Without it, 20.10 asks for a pivot_root that an initial ramdisk as root refuses.
            .env("DOCKER_RAMDISK", "true")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--ip-masq=false", "--ip-forward=false"])
            .arg(format!("--host=unix://{}", socket.display()))
            .arg("--data-root")
            .arg(own("data"))
            .arg("--exec-root")
            .arg(own("exec"))
            .arg("--pidfile")
            .arg(own("pid"));
        fs::create_dir(folder.join("docker"))?;
        let process = Process::start("dockerd", &mut daemon, None)?;
        let docker = Self {
            socket,
            _daemon: process,
        };
        interrupt::poll("dockerd", READY, || {
            let version = docker.cli().arg("version").output();
            version
                .is_ok_and(|version| version.status.success())
                .then_some(())
        })?;
        let archive = folder.join("rootfs.tar");
        command::output(
            Command::new("tar")
                .arg("-C")
                .arg(rootfs)
                .arg("-cf")
                .arg(&archive)
                .arg("."),
        )?;
        command::output(docker.cli().arg("import").arg(&archive).arg("bench:1"))?;
        Ok(docker)
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("docker");
        command.env_remove("DOCKER_CONTEXT");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command
    }

    pub(super) fn command(&self) -> Command {
        let mut command = self.cli();
        command.args(["run", "--rm", "--network", "none", "bench:1", "true"]);
        command
    }
}
