//! The workload's view of its own cgroups on v1, mounted by its maker: read-only binds, as
//! `spec::cgroup_mount` has `libcontainer` make them, without its 70 system calls for each.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cgroups::Cgroups;
use super::mount;

const READ_ONLY: u64 = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// Binds that are mounted nowhere yet, by their names.
#[derive(Debug)]
pub(super) struct View(Vec<(String, OwnedFd)>);

impl View {
    /// To be taken while the hierarchies are in sight, by the process that makes the workload or its parent.
    pub(super) fn of(cgroups: &Cgroups) -> io::Result<Self> {
        let mut binds = Vec::new();
        for (name, directory) in cgroups.seen() {
            let bind = mount::copy(&directory, false)?;
            mount::set_attributes(bind.as_fd(), READ_ONLY, None, false)?;
            binds.push((name, bind));
        }
        Ok(Self(binds))
    }

    /// Mounts it in a process's mount namespace, of which this process has only one thread and nothing more
    /// to do. What is there is the kernel's, not the workload's: it has not run yet, and `/sys` is a sysfs.
    pub(super) fn mount(self, pid: i32, destination: &Path) -> io::Result<()> {
        // It goes with this process: the kernel waits for a grace period when a mount namespace goes.
        std::mem::forget(File::open("/proc/self/ns/mnt")?);
        let namespace = File::open(format!("/proc/{pid}/ns/mnt"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let root = rustix::fs::open("/", flags, Mode::empty())?;
        let target = openat2(&root, destination, flags, Mode::empty(), resolve)?;
        let stage = stage()?;
        let onto = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(
            &stage,
            "",
            &target,
            "",
            onto | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
        )?;
        for (name, bind) in self.0 {
            mkdirat(&stage, &name, Mode::from_raw_mode(0o755))?;
            move_mount(&bind, "", &stage, &name, onto)?;
        }
        Ok(())
    }
}

/// What the mount points are made in; nothing else fits in there.
fn stage() -> io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (option, value) in [("source", "tmpfs"), ("mode", "755"), ("size", "64k")] {
        fsconfig_set_string(&context, option, value)?;
    }
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}
