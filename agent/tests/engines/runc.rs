//! runc without an engine: a bundle, a cgroup path of one's choice.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host;

pub(crate) struct Runc {
    dir: TempDir,
    program: PathBuf,
}

/// A container, removed on drop.
pub(crate) struct Container<'a> {
    runc: &'a Runc,
    id: String,
}

impl Runc {
    /// Makes the root file system. The error is why it cannot run here.
    pub(crate) fn start() -> Result<Self, String> {
        let [program] = host::programs(["runc"])?;
        let dir = tempfile::tempdir().unwrap();
        host::rootfs(&dir.path().join("rootfs"))?;
        Ok(Self { dir, program })
    }

    /// Runs `command` in the background in the cgroup `cgroup` (absolute). `change` may alter the
    /// OCI specification first: limits, namespaces, mounts.
    pub(crate) fn run(
        &self,
        id: &str,
        cgroup: &str,
        command: &[&str],
        change: impl FnOnce(&mut Value),
    ) -> Container<'_> {
        let bundle = self.dir.path().join("bundles").join(id);
        fs::create_dir_all(&bundle).unwrap();
        host::stdout(self.command().arg("spec").arg("--bundle").arg(&bundle));
        let path = bundle.join("config.json");
        let mut spec: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(command);
        // The default raises the hard limit of open files.
        spec["process"]["rlimits"] = json!([]);
        spec["root"]["path"] = json!(self.dir.path().join("rootfs"));
        spec["linux"]["cgroupsPath"] = json!(cgroup);
        change(&mut spec);
        fs::write(&path, spec.to_string()).unwrap();
        self.run_bundle(id, &bundle);
        Container {
            runc: self,
            id: id.to_owned(),
        }
    }

    fn run_bundle(&self, id: &str, bundle: &Path) {
        // The container keeps these files open; a pipe would never end.
        let log = File::create(bundle.join("output")).unwrap();
        let status = self
            .command()
            .args(["run", "--detach", "--bundle"])
            .arg(bundle)
            .arg(id)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        assert!(status.success(), "{}", host::tail(&bundle.join("output")));
    }

    fn command(&self) -> Command {
        let state = self.dir.path().join("state");
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(state);
        command
    }
}

impl Container<'_> {
    /// Process id of the container's first process, on the host.
    pub(crate) fn pid(&self) -> String {
        let state = host::stdout(self.runc.command().args(["state", &self.id]));
        let state: Value = serde_json::from_str(&state).unwrap();
        state["pid"].to_string()
    }
}

impl Container<'_> {
    /// `runc pause` or `runc resume`.
    pub(crate) fn command(&self, verb: &str) {
        host::stdout(self.runc.command().args([verb, &self.id]));
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _best_effort = self
            .runc
            .command()
            .args(["delete", "--force", &self.id])
            .output();
    }
}
