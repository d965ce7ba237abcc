//! Containers of the agent's own: one that is asked how it is, and one that is started again and again.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::agent::Agent;

const NAMES: [&str; 2] = ["well", "again"];
const BUSYBOX: &str = "/bin/busybox";

/// Starts them on a root file system that it makes in `scratch`.
pub(crate) fn start(agent: &Agent, scratch: &Path) -> Result<(), String> {
    let rootfs = scratch.join("rootfs");
    let programs = rootfs.join("bin");
    fs::create_dir_all(&programs).unwrap();
    fs::copy(BUSYBOX, programs.join("busybox")).unwrap();
    for name in ["sh", "sleep", "true"] {
        symlink("busybox", programs.join(name)).unwrap();
    }
    let rootfs = rootfs.to_str().unwrap();
    let [well, again] = NAMES;
    let common = ["--network", "none", "--rootfs", rootfs];
    let check = ["--health-cmd", "true", "--health-interval", "1s"];
    let start = |name, options: &[&str], seconds| {
        let mut arguments = vec!["run", "-d", "--name", name];
        arguments.extend(options);
        arguments.extend(common);
        arguments.extend(["sleep", seconds]);
        agent.say(&arguments).map(drop)
    };
    start(well, &check, "1000")?;
    start(again, &["--restart", "always"], "1")
}

/// Leaves nothing of them.
pub(crate) fn remove(agent: &Agent) -> Result<(), String> {
    let all = [&["rm", "-f"][..], &NAMES].concat();
    agent.say(&all).map(drop)
}
