//! A mount namespace in which `libcontainer` moves nobody.
//!
//! libcgroups 0.7.0 goes by what is mounted at `/sys/fs/cgroup`. If that is cgroup2, it writes the pid to the
//! workload's `cgroup.procs` (`v2/manager.rs`), so it finds cgroup2 there, and in the place of the workload's cgroup a
//! tmpfs with a file of that name. Where there is no cgroup2, it finds a tmpfs, looks for v1 hierarchies in the mount
//! table once for each controller, and places processes in those it finds (`v1/manager.rs`): none. What the
//! workload is to see of its own cgroups on v1, a [`View`](super::view::View) brings.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::fs::statfs;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::LaunchError;
use super::cgroups::Cgroups;
use super::neighbours::Neighbours;
use super::spec::{has_namespace, has_own_namespace, is_cgroup_mount};
use crate::cgroup::{HierarchyId, Mode};

/// Where `libcontainer` takes the hierarchies to be, and where a workload sees its own.
pub(super) const ROOT: &str = "/sys/fs/cgroup";
/// Where `libcontainer` writes the pid, over the beginning of a text. What is left is no list of processes: when it
/// cleans up, libcgroups gives up at once (`v2/manager.rs` `remove()`), instead of trying for 100 ms to remove what cannot be.
const PROCESSES: &str = "cgroup.procs";
const TEXT: &str = "born where it is to be\n";
/// include/uapi/linux/magic.h
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// The maker of a workload leaves `libcontainer` nothing to move processes in, nor mounts that it does not need either.
#[derive(Debug)]
pub(super) struct Apart(pub(super) Option<Neighbours>);

impl Apart {
    /// To be called in the maker.
    pub(super) fn leave(&self, cgroups: &Cgroups) -> Result<(), LaunchError> {
        leave(cgroups, self.0.as_ref()).map_err(|source| LaunchError::Process {
            what: "cannot mount what a process that makes workloads is to see",
            source,
        })
    }
}

/// Can that be done on this host?
pub(super) fn is_possible(cgroups: &Cgroups) -> bool {
    let layout = cgroups.layout();
    let mut mounts = layout.hierarchies().iter().map(|one| one.mount.as_path());
    let root = Path::new(ROOT);
    if layout.mode() == Mode::Unified {
        return mounts.all(|mount| mount == root);
    }
    mounts.all(|mount| mount != root && mount.starts_with(root))
        && statfs(ROOT).is_ok_and(|found| found.f_type == TMPFS_MAGIC)
}

/// Would this workload see a difference: in what is mounted in it, what it hands on to the host, or what its
/// hooks find?
pub(super) fn is_noticed(spec: &Spec, rootfs: &Path, mode: Mode) -> bool {
    let linux = spec.linux().as_ref();
    let propagation = linux.and_then(|linux| linux.rootfs_propagation().as_deref());
    let mut mounts = spec.mounts().iter().flatten();
    spec.hooks().is_some()
        || !has_namespace(spec, LinuxNamespaceType::Mount)
        || matches!(propagation, Some("shared" | "rshared"))
        || shows_hierarchies(rootfs)
        || mounts.any(is_source_noticed)
        || match mode {
            Mode::Unified => is_bound(spec),
            Mode::Hybrid | Mode::Legacy => is_view_noticed(spec),
        }
}

/// Does it bring a place of the host's in which hierarchies are seen, or hand mounts on?
fn is_source_noticed(mount: &Mount) -> bool {
    let is_shared = |option: &String| matches!(option.as_str(), "shared" | "rshared");
    let source = mount.source().as_deref().filter(|path| path.is_absolute());
    mount.options().iter().flatten().any(is_shared)
        || (!is_cgroup_mount(mount) && source.is_some_and(shows_hierarchies))
}

/// The workload has no right to mount cgroup2, unless the cgroup namespace is its own user namespace's
/// (kernel/cgroup/cgroup.c `cgroup_init_fs_context()`, v6.12): then `libcontainer` binds what the host has at [`ROOT`].
fn is_bound(spec: &Spec) -> bool {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.any(is_cgroup_mount)
        && has_namespace(spec, LinuxNamespaceType::User)
        && !has_own_namespace(spec, LinuxNamespaceType::Cgroup)
}

/// Is the view, which is mounted over all else at [`ROOT`], not the same as one that is mounted in its turn?
fn is_view_noticed(spec: &Spec) -> bool {
    let linux = spec.linux().as_ref();
    let covered = linux.into_iter().flat_map(|linux| {
        let masked = linux.masked_paths().iter().flatten();
        masked.chain(linux.readonly_paths().iter().flatten())
    });
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    let views = mounts.iter().filter(|mount| is_cgroup_mount(mount)).count();
    let has_sysfs = mounts.iter().any(|mount| {
        mount.typ().as_deref() == Some("sysfs") && mount.destination() == Path::new("/sys")
    });
    views > 1
        || (views == 1 && !has_sysfs)
        || covered
            .into_iter()
            .any(|path| Path::new(path).starts_with(ROOT))
        || mounts.iter().any(is_destination_noticed)
}

fn is_destination_noticed(mount: &Mount) -> bool {
    let destination = mount.destination();
    if is_cgroup_mount(mount) {
        return destination != Path::new(ROOT);
    }
    let is_crooked = destination
        .components()
        .any(|part| !matches!(part, Component::RootDir | Component::Normal(_)));
    let is_above = ["/", "/sys"]
        .map(Path::new)
        .contains(&destination.as_path());
    is_crooked
        || destination.starts_with(ROOT)
        || (Path::new(ROOT).starts_with(destination) && !is_above)
}

/// Is it a place of the host's from which its hierarchies are seen?
fn shows_hierarchies(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.starts_with(ROOT) || Path::new(ROOT).starts_with(&path)
}

/// Leaves what `libcontainer` would move processes in, for a mount namespace of this process's own.
fn leave(cgroups: &Cgroups, neighbours: Option<&Neighbours>) -> io::Result<()> {
    // SAFETY: no descriptor table is unshared, and there is one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
    // What is unmounted here stays mounted elsewhere.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)?;
    if let Some(neighbours) = neighbours {
        neighbours.leave_out()?;
    }
    match in_sight(cgroups) {
        Some(own) => put_in_place_of(cgroups, &own),
        None => hide(cgroups.layout().mode()),
    }
}

/// Where the workload's cgroup of cgroup2 is for `libcontainer`, if that would find it there.
fn in_sight(cgroups: &Cgroups) -> Option<PathBuf> {
    let mount = &cgroups.layout().unified()?.mount;
    let path = cgroups.placement().paths.get(&HierarchyId::V2)?;
    let path = Path::new(path).strip_prefix("/").ok()?;
    // Not where only a part of the hierarchy is mounted.
    let is_whole = cgroups.directory(HierarchyId::V2)? == mount.join(path);
    is_whole.then(|| Path::new(ROOT).join(path))
}

fn put_in_place_of(cgroups: &Cgroups, own: &Path) -> io::Result<()> {
    let unified = cgroups.layout().unified();
    if let Some(unified) = unified.filter(|unified| unified.mount != Path::new(ROOT)) {
        mount_bind(&unified.mount, ROOT)?;
    }
    mount_tmpfs(own)?;
    fs::write(own.join(PROCESSES), TEXT)
}

fn hide(mode: Mode) -> io::Result<()> {
    if mode != Mode::Unified {
        // What is only hidden is in the mount table still.
        unmount(ROOT, UnmountFlags::DETACH)?;
    }
    mount_tmpfs(Path::new(ROOT))
}

fn mount_tmpfs(path: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    Ok(mount("tmpfs", path, "tmpfs", flags, c"mode=755,size=64k")?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn noticed_in(mode: Mode, change: impl FnOnce(&mut Value)) -> bool {
        let mut spec = json!({
            "ociVersion": "1.0.2",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
                {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
                {"destination": "/data", "type": "bind", "source": "/usr/lib", "options": ["rbind"]}
            ],
            "linux": {"namespaces": [{"type": "mount"}], "rootfsPropagation": "private",
                "maskedPaths": ["/sys/firmware"]}
        });
        change(&mut spec);
        let spec: Spec = serde_json::from_value(spec).unwrap();
        is_noticed(&spec, Path::new("/srv/root"), mode)
    }

    fn noticed(change: impl FnOnce(&mut Value)) -> bool {
        noticed_in(Mode::Hybrid, change)
    }

    #[test]
    fn what_shows_hierarchies_or_hands_on_mounts_is_noticed() {
        assert!(!noticed(|_| {}));
        for source in [
            "/",
            "/sys",
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/memory",
            "/sys/fs/../fs",
        ] {
            assert!(
                noticed(|spec| spec["mounts"][3]["source"] = json!(source)),
                "{source}"
            );
        }
        for destination in [
            "/sys/fs",
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/x",
            "/a/../sys/fs",
        ] {
            let at = |spec: &mut Value| spec["mounts"][3]["destination"] = json!(destination);
            assert!(noticed(at), "{destination}");
        }
        assert!(noticed(
            |spec| spec["mounts"][3]["options"] = json!(["rshared"])
        ));
        assert!(noticed(
            |spec| spec["mounts"][2]["destination"] = json!("/cgroup")
        ));
        assert!(noticed(
            |spec| spec["mounts"][1]["destination"] = json!("/other")
        ));
        assert!(noticed(
            |spec| spec["hooks"] = json!({"poststop": [{"path": "/bin/true"}]})
        ));
        assert!(noticed(|spec| spec["linux"]["namespaces"] = json!([])));
        assert!(noticed(
            |spec| spec["linux"]["rootfsPropagation"] = json!("rshared")
        ));
        assert!(noticed(
            |spec| spec["linux"]["maskedPaths"] = json!(["/sys/fs/cgroup/pids"])
        ));
    }

    #[test]
    fn on_cgroup2_alone_its_own_mounts_are_not_noticed() {
        let noticed = |change: &dyn Fn(&mut Value)| noticed_in(Mode::Unified, change);
        assert!(!noticed(&|_| {}));
        assert!(!noticed(&|spec| {
            spec["mounts"][2]["destination"] = json!("/cgroup");
            spec["linux"]["maskedPaths"] = json!(["/sys/fs/cgroup/x"]);
        }));
        assert!(noticed(&|spec| spec["mounts"][3]["source"] = json!("/sys")));
        assert!(noticed(
            &|spec| spec["hooks"] = json!({"poststop": [{"path": "/bin/true"}]})
        ));
        let namespaces = |kinds: &[&str]| {
            let kinds: Vec<_> = kinds.iter().map(|kind| json!({"type": kind})).collect();
            move |spec: &mut Value| spec["linux"]["namespaces"] = json!(kinds)
        };
        assert!(noticed(&namespaces(&["cgroup"])));
        assert!(noticed(&namespaces(&["mount", "user"])));
        assert!(!noticed(&namespaces(&["mount", "user", "cgroup"])));
    }
}
