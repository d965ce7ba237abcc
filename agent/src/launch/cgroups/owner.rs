//! Whose a cgroup is, where several could think it theirs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{CgroupError, Cgroups};

/// kernfs keeps `trusted.` attributes in all hierarchies (fs/kernfs/inode.c, v6.12).
const OWNER: &str = "trusted.plimsoll.owner";
/// include/uapi/linux/limits.h `PATH_MAX`
const LONGEST: usize = 4096;

impl Cgroups {
    /// Who made it theirs; nobody, when it is not there.
    #[must_use]
    pub fn owner(&self) -> Option<PathBuf> {
        self.directories().find_map(|(_, directory)| {
            let mut value = [0_u8; LONGEST];
            let length = getxattr(directory, OWNER, &mut value).ok()?;
            let owner = value.get(..length)?;
            Some(OsStr::from_bytes(owner).into())
        })
    }

    /// Makes it somebody's, wherever it is.
    ///
    /// # Errors
    /// The kernel does not keep the attribute.
    pub fn give(&self, owner: &Path) -> Result<(), CgroupError> {
        for (_, directory) in self.directories() {
            let value = owner.as_os_str().as_bytes();
            setxattr(&directory, OWNER, value, XattrFlags::empty()).map_err(|errno| {
                CgroupError::Write {
                    path: directory,
                    value: owner.display().to_string(),
                    source: errno.into(),
                }
            })?;
        }
        Ok(())
    }
}
