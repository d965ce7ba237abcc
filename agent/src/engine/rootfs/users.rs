//! Users of a container's own: the same files on disk, other owners where they are mounted.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::RootfsError;
use crate::launch::mount::{attach, copy, set_attributes};

const STACK: usize = 64 << 10;
/// Whom the host's users are who are none in the container (`kernel.overflowuid`).
const NOBODY: u32 = 65_534;

/// Where a container's own users begin on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRange {
    pub first_uid: u32,
    pub first_gid: u32,
    pub size: u32,
}

impl UserRange {
    /// That of a process; `None`: it has the host's users.
    ///
    /// # Errors
    /// It is gone.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        let first = |file: &str| {
            let map = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
            let mut numbers = map.split_whitespace().map(str::parse);
            let (Some(Ok(0)), Some(Ok(first)), Some(Ok(size))) =
                (numbers.next(), numbers.next(), numbers.next())
            else {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            };
            Ok((first, size))
        };
        let ((first_uid, size), (first_gid, _)) = (first("uid_map")?, first("gid_map")?);
        // The host's own map is of all there are.
        Ok((size != u32::MAX).then_some(Self {
            first_uid,
            first_gid,
            size,
        }))
    }

    /// What the host's user and group are inside.
    #[must_use]
    pub fn inside(&self, uid: u32, gid: u32) -> (u32, u32) {
        let inside = |id: u32, first: u32| {
            let id = id.checked_sub(first).filter(|id| *id < self.size);
            id.unwrap_or(NOBODY)
        };
        (inside(uid, self.first_uid), inside(gid, self.first_gid))
    }

    /// What a user and group of the container are on the host; `None`: it has no such ones.
    #[must_use]
    pub fn outside(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        let has = |id: u32| id < self.size;
        let outside = (
            self.first_uid.checked_add(uid)?,
            self.first_gid.checked_add(gid)?,
        );
        (has(uid) && has(gid)).then_some(outside)
    }

    /// Lets them get to what is in a directory that is closed to all others but root.
    ///
    /// # Errors
    /// It cannot be changed.
    pub fn let_through(&self, directory: &Path) -> io::Result<()> {
        chown(directory, None, Some(self.first_gid))?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o710))
    }

    /// One a user namespace has to say: ids on disk, ids of the mount, how many. What the host's root
    /// makes there, overlayfs's own directories above all, has an id on disk that no container has:
    /// without one it could make nothing (`EOVERFLOW` of `may_create()`, fs/namei.c, v6.12).
    fn map(first: u32, size: u32) -> String {
        format!("0 {first} {size}\n{size} 0 1\n")
    }

    /// A user namespace with this mapping.
    fn namespace(&self) -> io::Result<OwnedFd> {
        let child = Waiting::start()?;
        let file = |name: &str| format!("/proc/{}/{name}", child.0);
        fs::write(file("uid_map"), Self::map(self.first_uid, self.size))?;
        fs::write(file("gid_map"), Self::map(self.first_gid, self.size))?;
        Ok(fs::File::open(file("ns/user"))?.into())
    }
}

/// Directories that are mounted one over the other at one place, with other owners, until this is
/// dropped: only what is mounted somewhere can be a layer before Linux 6.15.
#[derive(Debug)]
pub(super) struct Mapped<'a> {
    target: &'a Path,
    namespace: OwnedFd,
    mounts: Vec<OwnedFd>,
}

impl<'a> Mapped<'a> {
    pub(super) fn at(target: &'a Path, users: UserRange) -> Result<Self, RootfsError> {
        let namespace = users.namespace();
        Ok(Self {
            target,
            namespace: namespace.map_err(|source| RootfsError::Users { source })?,
            mounts: Vec::new(),
        })
    }

    /// Mounts one more, on top; returns the name that leads to it as long as this lives.
    pub(super) fn push(&mut self, source: &Path) -> Result<String, RootfsError> {
        let failed = |source_error: io::Error| RootfsError::Map {
            path: source.to_owned(),
            source: source_error,
        };
        let mount = mapped(source, self.namespace.as_fd()).map_err(failed)?;
        attach(mount.as_fd(), self.target).map_err(failed)?;
        let name = format!("/proc/self/fd/{}", mount.as_raw_fd());
        self.mounts.push(mount);
        Ok(name)
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        for _ in &self.mounts {
            if let Err(error) = super::unmount_at(self.target) {
                tracing::warn!(%error, "a mapped layer is left mounted");
            }
        }
    }
}

/// Mounts `source` at `target` as well, for these users.
pub(super) fn bind(
    source: &Path,
    target: &Path,
    users: Option<UserRange>,
) -> Result<(), RootfsError> {
    let failed = |error: io::Error| RootfsError::Map {
        path: source.to_owned(),
        source: error,
    };
    let mount = match users {
        Some(users) => {
            let namespace = users.namespace();
            let namespace = namespace.map_err(|source| RootfsError::Users { source })?;
            mapped(source, namespace.as_fd())
        }
        None => copy(source, false),
    };
    let mount = mount.map_err(failed)?;
    attach(mount.as_fd(), target).map_err(failed)
}

/// A mount of `source` whose owners are mapped as the user namespace says: Linux 5.12, and a file system that
/// can.
fn mapped(source: &Path, namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mount = copy(source, false)?;
    set_attributes(
        mount.as_fd(),
        libc::MOUNT_ATTR_IDMAP,
        Some(namespace),
        false,
    )?;
    Ok(mount)
}

/// A process that does nothing in a user namespace of its own: the kernel gives those to processes only.
struct Waiting(Pid);

impl Waiting {
    fn start() -> io::Result<Self> {
        let parent = nix::unistd::getpid();
        let mut stack = vec![0; STACK];
        let wait = Box::new(move || {
            // SAFETY: plain system calls without memory of ours. It is not to outlive an agent that is killed.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                while libc::getppid() == parent.as_raw() {
                    libc::pause();
                }
            }
            0
        });
        // SAFETY: the child has a copy of this process's memory and the stack in it, and makes nothing but system
        // calls.
        let child = unsafe { clone(wait, &mut stack, CloneFlags::CLONE_NEWUSER, None) };
        Ok(Self(child?))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may have ended already; whoever waits for it below sees that.
        let _ = kill(self.0, Signal::SIGKILL);
        // Without a signal at its end it is waited for as a clone; there is nobody else who could have.
        let _ = waitpid(self.0, Some(WaitPidFlag::__WALL));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn users_are_moved_by_where_the_range_begins() {
        let users = UserRange {
            first_uid: 100_000,
            first_gid: 200_000,
            size: 65_536,
        };
        assert_eq!(users.outside(0, 5), Some((100_000, 200_005)));
        assert_eq!(users.outside(65_536, 0), None);
        assert_eq!(users.outside(u32::MAX, 0), None);
        assert_eq!(users.inside(100_007, 265_535), (7, 65_535));
        assert_eq!(users.inside(0, 265_536), (NOBODY, NOBODY));
    }

    #[test]
    fn whose_users_a_process_has_is_read_of_it() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        // Whoever runs the tests.
        let all = fs::read_to_string("/proc/self/uid_map").unwrap();
        if all.split_whitespace().eq(["0", "0", "4294967295"]) {
            assert_eq!(UserRange::of(std::process::id()).unwrap(), None);
        }
        let child = Waiting::start().unwrap();
        let pid = u32::try_from(child.0.as_raw()).unwrap();
        let unknown = UserRange::of(pid).unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::InvalidData, "no map yet");
        let users = UserRange {
            first_uid: 300_000,
            first_gid: 400_000,
            size: 1_000,
        };
        for (file, first) in [("uid_map", 300_000), ("gid_map", 400_000)] {
            let map = format!("0 {first} 1000\n1000 0 1\n");
            fs::write(format!("/proc/{pid}/{file}"), map).unwrap();
        }
        assert_eq!(UserRange::of(pid).unwrap(), Some(users));
        drop(child);
        let gone = UserRange::of(pid).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
