//! A block device of a test's own.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::skip;

/// A loop device over a scratch file; both are removed on drop.
pub(crate) struct LoopDevice {
    device: String,
    _backing: tempfile::NamedTempFile,
}

impl LoopDevice {
    /// `None`, and the test is skipped, where there are no loop devices.
    pub(crate) fn make(test: &str, bytes: u64) -> Option<Self> {
        let backing = tempfile::NamedTempFile::new_in("/var/tmp").expect("scratch file");
        File::set_len(backing.as_file(), bytes).expect("scratch file");
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(backing.path())
            .output();
        let Some(made) = made.ok().filter(|made| made.status.success()) else {
            skip(test, "no loop device");
            return None;
        };
        let device = String::from_utf8(made.stdout)
            .expect("losetup")
            .trim()
            .to_owned();
        Some(Self {
            device,
            _backing: backing,
        })
    }

    pub(crate) fn path(&self) -> &str {
        &self.device
    }

    /// A cap of it, as the kernel's files have it.
    pub(crate) fn cap_of(&self, bytes_per_second: u64) -> String {
        let (major, minor) = self.number();
        format!("{major}:{minor} {bytes_per_second}")
    }

    /// `major` and `minor`.
    pub(crate) fn number(&self) -> (u64, u64) {
        let rdev = std::fs::metadata(&self.device).expect("loop device").rdev();
        (nix::sys::stat::major(rdev), nix::sys::stat::minor(rdev))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let detached = Command::new("losetup")
            .arg("--detach")
            .arg(&self.device)
            .status();
        if !detached.is_ok_and(|status| status.success()) {
            eprintln!("could not detach {}", self.device);
        }
    }
}
