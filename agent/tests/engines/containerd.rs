//! A containerd of one's own, and `ctr`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::host::{self, CgroupParents, Daemon};

pub(crate) struct Containerd {
    dir: TempDir,
    ctr: PathBuf,
    daemon: Option<Daemon>,
    _parents: CgroupParents,
}

impl Containerd {
    /// Starts containerd. The error is why it cannot run here.
    pub(crate) fn start() -> Result<Self, String> {
        let [containerd, ctr, _] = host::programs(["containerd", "ctr", "runc"])?;
        let dir = tempfile::tempdir().unwrap();
        host::rootfs(&dir.path().join("rootfs"))?;
        let [root, state, socket] = ["root", "state", "sock"].map(|name| dir.path().join(name));
        let config = format!(
            "version = 2\nroot = {root:?}\nstate = {state:?}\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {socket:?}\n[ttrpc]\naddress = \"{}.ttrpc\"\n",
            socket.display()
        );
        let path = dir.path().join("config.toml");
        fs::write(&path, config).unwrap();
        let log = dir.path().join("log");
        let mut command = Command::new(containerd);
        command.arg("--config").arg(path);
        let mut engine = Self {
            dir,
            ctr,
            daemon: None,
            _parents: CgroupParents::watch(&["default"]),
        };
        let mut daemon = Daemon::start(&mut command, &log);
        host::wait_until("containerd", || {
            assert!(daemon.is_running(), "it ended: {}", host::tail(&log));
            let version = engine.command().arg("version").output();
            version.is_ok_and(|version| version.status.success())
        });
        engine.daemon = Some(daemon);
        Ok(engine)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Runs a container in the background, in namespace `default`.
    pub(crate) fn run(&self, id: &str, options: &[&str], command: &[&str]) {
        host::stdout(
            self.command()
                .args(["run", "--detach"])
                .args(options)
                .arg("--rootfs")
                .arg(self.dir.path().join("rootfs"))
                .arg(id)
                .args(command),
        );
    }

    /// Process id of the container's first process, on the host.
    pub(crate) fn pid(&self, id: &str) -> String {
        let list = host::stdout(self.command().args(["task", "list"]));
        let mut lines = list.lines().map(|line| line.split_whitespace());
        let pid = lines.find_map(|mut line| (line.next() == Some(id)).then(|| line.next()));
        pid.flatten().unwrap().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.ctr);
        command.arg("--address").arg(self.dir.path().join("sock"));
        command
    }

    fn remove(&self, id: &str) {
        for arguments in [
            ["task", "kill", "--signal", "SIGKILL", id].as_slice(),
            &["task", "delete", "--force", id],
            &["container", "delete", id],
        ] {
            let _best_effort = self.command().args(arguments).output();
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if let Ok(list) = self
            .command()
            .args(["container", "list", "--quiet"])
            .output()
        {
            for id in String::from_utf8_lossy(&list.stdout).split_whitespace() {
                self.remove(id);
            }
        }
        self.daemon = None;
        host::clear(self.dir.path());
    }
}
