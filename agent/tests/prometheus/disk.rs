//! A block device of the test's own.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::{major, minor};

const BYTES: u64 = 4 << 20;

/// A loop device on a file, detached when it is dropped.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
}

impl Disk {
    /// On a new file in `scratch`, which must not be a tmpfs.
    pub(crate) fn attach(scratch: &Path) -> Self {
        let file = scratch.join("disk");
        File::create(&file).unwrap().set_len(BYTES).unwrap();
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "losetup: {output:?}");
        Self {
            path: PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()),
        }
    }

    /// `major:minor`.
    pub(crate) fn number(&self) -> String {
        let device = fs::metadata(&self.path).unwrap().rdev();
        format!("{}:{}", major(device), minor(device))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let detached = Command::new("losetup")
            .arg("--detach")
            .arg(&self.path)
            .status();
        if !detached.is_ok_and(|status| status.success()) {
            println!("{} stays attached", self.path.display());
        }
    }
}
