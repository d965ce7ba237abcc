//! Other workloads' root file systems, which the maker of one need not have in its mount table.
//!
//! They are mounted side by side, in a directory that is a mount of its own. With hundreds of them
//! `libcontainer` would read a table of hundreds of lines thirteen times at each start, and its init copy it and
//! tear it down.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Spec;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::mount::{UnmountFlags, unmount};

use super::mount::{attach, copy};

/// So few lines are read in less than the grace period that it takes to be rid of them.
const FEW: usize = 32;

/// All that is mounted in a directory but one root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbours {
    directory: PathBuf,
    rootfs: PathBuf,
}

impl Neighbours {
    /// `None` if there are few or none that can be told, or something is needed that may be among them: by the
    /// specification, or for making the workload.
    pub(super) fn of(rootfs: &Path, spec: &Spec, needed: &[&Path]) -> Option<Self> {
        let directory = rootfs.parent()?;
        let is_apart = directory.parent().is_some() && is_mount(rootfs) && is_mount(directory);
        let own = needed.iter().all(|path| is_elsewhere(path, directory));
        (is_apart && own && are_many(directory) && !is_among(spec, directory)).then(|| Self {
            directory: directory.to_owned(),
            rootfs: rootfs.to_owned(),
        })
    }

    /// Unmounts them all at once; to be called in a mount namespace of the caller's own.
    pub(super) fn leave_out(&self) -> io::Result<()> {
        let directory = copy(&self.directory, false)?;
        let rootfs = copy(&self.rootfs, true)?;
        unmount(&self.directory, UnmountFlags::DETACH)?;
        attach(directory.as_fd(), &self.directory)?;
        attach(rootfs.as_fd(), &self.rootfs)
    }
}

/// Does the specification name something in the directory, or what it is in?
fn is_among(spec: &Spec, directory: &Path) -> bool {
    let linux = spec.linux().as_ref();
    let mounts = spec.mounts().iter().flatten();
    let sources = mounts.filter(|mount| {
        let options = mount.options().iter().flatten();
        let mut binds = options.filter(|option| matches!(option.as_str(), "bind" | "rbind"));
        mount.typ().as_deref() == Some("bind") || binds.next().is_some()
    });
    let sources = sources.filter_map(|mount| mount.source().as_deref());
    let namespaces = linux.and_then(|linux| linux.namespaces().as_deref());
    let namespaces = namespaces.unwrap_or_default().iter();
    let namespaces = namespaces.filter_map(|namespace| namespace.path().as_deref());
    let seccomp = linux.and_then(|linux| linux.seccomp().as_ref());
    let listener = seccomp.and_then(|seccomp| seccomp.listener_path().as_deref());
    let mut named = sources.chain(namespaces).chain(listener);
    named.any(|path| !path.is_absolute() || !is_elsewhere(path, directory))
}

fn is_elsewhere(path: &Path, directory: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    !path.starts_with(directory) && !directory.starts_with(&path)
}

fn are_many(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|entries| entries.take(FEW + 1).count() > FEW)
}

/// Told since Linux 5.8 (fs/stat.c); workloads need a newer one.
fn is_mount(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_named_in_or_around_the_directory_is_among_them() {
        let named = |change: &dyn Fn(&mut Value)| {
            let mut spec = json!({
                "ociVersion": "1.0.2",
                "mounts": [
                    {"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/data", "type": "bind", "source": "/usr/lib"}
                ],
                "linux": {"namespaces": [{"type": "mount"}, {"type": "network"}]}
            });
            change(&mut spec);
            let spec: Spec = serde_json::from_value(spec).unwrap();
            is_among(&spec, Path::new("/run/x/rootfs"))
        };
        assert!(!named(&|_| {}));
        for source in ["/run/x/rootfs/b/etc", "/run/x/rootfs", "/run", "/", "etc"] {
            let bind = |spec: &mut Value| spec["mounts"][1]["source"] = json!(source);
            assert!(named(&bind), "{source}");
        }
        let by_option = |spec: &mut Value| {
            spec["mounts"][1] =
                json!({"destination": "/data", "source": "/run", "options": ["rbind"]});
        };
        assert!(named(&by_option));
        let namespace = |path: &str| {
            let path = path.to_owned();
            move |spec: &mut Value| spec["linux"]["namespaces"][1]["path"] = json!(path)
        };
        assert!(named(&namespace("/run/x/rootfs/b/net")));
        assert!(!named(&namespace("/run/netns/b")));
    }

    #[test]
    fn all_but_one_are_out_of_sight() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| {
                // SAFETY: no descriptor table is unshared.
                unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                mount_change("/", private).unwrap();
                mount_bind(directory, directory).unwrap();
                let add = |name: &str| {
                    let target = directory.join(name);
                    fs::create_dir(&target).unwrap();
                    mount("tmpfs", &target, "tmpfs", MountFlags::empty(), None).unwrap();
                    fs::write(target.join(name), "").unwrap();
                };
                ["a", "b", "c"].into_iter().for_each(add);
                let spec = Spec::default();
                let rootfs = directory.join("b");
                assert_eq!(Neighbours::of(&rootfs, &spec, &[]), None);
                (0..FEW).for_each(|number| add(&number.to_string()));
                assert_eq!(Neighbours::of(&directory.join("x"), &spec, &[]), None);
                let needed = directory.join("c/file");
                assert_eq!(Neighbours::of(&rootfs, &spec, &[&needed]), None);
                let neighbours = Neighbours::of(&rootfs, &spec, &[Path::new("/usr/lib")]);
                neighbours.unwrap().leave_out().unwrap();
                assert!(rootfs.join("b").exists());
                let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
                let own = directory.display().to_string();
                let points = table.lines().filter_map(|line| line.split(' ').nth(4));
                let below = points.filter_map(|point| Some(point.strip_prefix(&own)?.to_owned()));
                below.collect::<Vec<_>>()
            });
            assert_eq!(seen.join().unwrap(), ["", "/b"]);
        });
    }
}
