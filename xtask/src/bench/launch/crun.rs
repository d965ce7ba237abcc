//! crun, and what it is to run.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

use super::timed;
use crate::bench::agent::{Agent, MEMORY};
use crate::bench::interrupt;
use crate::bench::process::Process;
use crate::command;

/// The specification that `crun spec` makes.
pub(super) fn plain(bundle: &Path) -> Result<Value> {
    command::output(Command::new("crun").arg("spec").current_dir(bundle))?;
    let mut spec: Value = serde_json::from_str(&fs::read_to_string(bundle.join("config.json"))?)?;
    spec["process"]["terminal"] = false.into();
    // What the host may not give is not asked for.
    spec["process"]["rlimits"] = json!([]);
    Ok(spec)
}

/// The one that a container of ours was made from, with its files in the bundle.
pub(super) fn like_ours(agent: &Agent, rootfs: &Path, bundle: &Path) -> Result<Value> {
    let mut run = agent.command();
    run.args(["run", "-d", "--rm", "--network", "none", "--rootfs"]);
    let id = command::output(run.arg(rootfs).args(["sleep", "1000"]))?;
    let own = agent.bundle(id.trim());
    let mut spec: Value = serde_json::from_str(&fs::read_to_string(own.join("config.json"))?)?;
    for mount in spec["mounts"].as_array_mut().into_iter().flatten() {
        let source = mount["source"].as_str().map(PathBuf::from);
        let Some(file) = source.filter(|source| source.is_file()) else {
            continue;
        };
        let copy = bundle.join(file.file_name().unwrap_or_default());
        fs::copy(&file, &copy)?;
        mount["source"] = json!(copy);
    }
    agent.ask(&["rm", "-f", id.trim()])?;
    // Older ones refuse later versions; nothing of those is in it.
    spec["ociVersion"] = "1.0.0".into();
    // Its cgroups are crun's to name.
    spec["linux"]["cgroupsPath"] = Value::Null;
    Ok(spec)
}

/// It, with a bundle.
pub(super) struct Crun {
    bundle: PathBuf,
    /// In memory, as ours.
    state: PathBuf,
    /// The mount namespace that it runs in, and the process that keeps it.
    namespace: Option<(Process, File)>,
}

impl Crun {
    pub(super) fn find(
        bundle: PathBuf,
        rootfs: &Path,
        specification: impl FnOnce(&Path) -> Result<Value>,
    ) -> Result<Self> {
        command::output(Command::new("crun").arg("--version"))?;
        fs::create_dir(&bundle)?;
        let mut spec = specification(&bundle)?;
        spec["root"] = json!({"path": rootfs});
        spec["process"]["args"] = json!(["true"]);
        fs::write(bundle.join("config.json"), spec.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let hybrid = mounts.contains(" /sys/fs/cgroup/unified cgroup2 ");
        let namespace = if hybrid {
            let mut holder = Command::new("unshare");
            holder.args(["--mount", "--propagation", "private", "sh", "-c"]);
            holder.arg("umount /sys/fs/cgroup/unified && exec sleep 100000");
            let holder = Process::start("a mount namespace", &mut holder, None)?;
            // Until it is unmounted in there.
            interrupt::sleep(Duration::from_millis(500))?;
            let namespace = File::open(format!("/proc/{}/ns/mnt", holder.pid()))?;
            Some((holder, namespace))
        } else {
            None
        };
        let name = bundle.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("plimsoll-bench-crun-{name}-{}", std::process::id());
        let state = Path::new(MEMORY).join(name);
        let crun = Self {
            bundle,
            state,
            namespace,
        };
        timed(&mut crun.command())?;
        Ok(crun)
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("crun");
        if let Some((_, namespace)) = &self.namespace {
            let namespace = namespace.as_raw_fd();
            let enter = move || {
                // SAFETY: `self` keeps it open as long as the command is used.
                let namespace = unsafe { BorrowedFd::borrow_raw(namespace) };
                Ok(setns(namespace, CloneFlags::CLONE_NEWNS)?)
            };
            // SAFETY: one system call, no memory is allocated.
            unsafe { command.pre_exec(enter) };
        }
        let id = format!("plimsoll-bench-{}", std::process::id());
        command.arg("--root").arg(&self.state);
        command.args(["run", "--bundle"]).arg(&self.bundle).arg(id);
        command
    }
}

impl Drop for Crun {
    fn drop(&mut self) {
        // There is none where crun did not run.
        let _ = fs::remove_dir_all(&self.state);
    }
}
