//! Lives of cgroups.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Args, BATCH, repeat};

/// Makes a cgroup below `parent` (v2), moves into it and back, freezes it, removes it. The process
/// starts in `parent`'s sibling `home`.
pub(super) fn lives(args: &Args, parent: &Path) -> Result<f64> {
    let own = parent.join("life");
    let home = parent.join("home");
    // Left by a load that was interrupted.
    let _ = fs::remove_dir(&own);
    let _ = fs::create_dir(&home);
    let pid = std::process::id().to_string();
    let write = |path: &Path, file: &str, value: &str| {
        let path = path.join(file);
        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    };
    repeat(args, 1, || {
        fs::create_dir(&own).context("cannot make a cgroup")?;
        write(&own, "cgroup.procs", &pid)?;
        write(&home, "cgroup.procs", &pid)?;
        write(&own, "cgroup.freeze", "1")?;
        write(&own, "cgroup.freeze", "0")?;
        fs::remove_dir(&own).context("cannot remove a cgroup")
    })
}

/// Renames a v1 cgroup below `parent` to and fro.
pub(super) fn renames(args: &Args, parent: &Path) -> Result<f64> {
    let (first, second) = (parent.join("name"), parent.join("other-name"));
    let _ = fs::remove_dir(&second);
    if !first.exists() {
        fs::create_dir(&first).context("cannot make a cgroup")?;
    }
    let mut there = false;
    let outcome = repeat(args, BATCH, || {
        let (from, to) = if there {
            (&second, &first)
        } else {
            (&first, &second)
        };
        there = !there;
        fs::rename(from, to).context("cannot rename a cgroup")
    });
    let _ = fs::remove_dir(&first);
    let _ = fs::remove_dir(&second);
    outcome
}
