//! A mount namespace without v1 hierarchies.
//!
//! `libcontainer` 0.7.0 looks for them in the mount table, and places processes in those it finds
//! (libcgroups 0.7.0, `v1/manager.rs`). What the workload is to see of its own cgroups, a
//! [`View`](super::view::View) brings.

use std::io;
use std::path::{Component, Path};

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};
use rustix::fs::statfs;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::LaunchError;
use super::cgroups::Cgroups;
use super::spec::{has_namespace, is_cgroup_mount};
use super::view::View;
use crate::cgroup::Mode;

/// Where `libcontainer` takes the hierarchies to be, and where a workload sees its own.
pub(super) const ROOT: &str = "/sys/fs/cgroup";
/// include/uapi/linux/magic.h
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// The maker of a workload leaves the v1 hierarchies out of `libcontainer`'s sight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart {
    /// The workload's view of its cgroups is to be mounted when it is made.
    pub(super) lacks_view: bool,
}

impl Apart {
    /// To be called in the maker; the view that is to be mounted.
    pub(super) fn leave(self, cgroups: &Cgroups) -> Result<Option<View>, LaunchError> {
        let view = self.lacks_view.then(|| View::of(cgroups)).transpose();
        let view = view.map_err(|source| LaunchError::View { source })?;
        leave_v1_out().map_err(|source| LaunchError::View { source })?;
        Ok(view)
    }
}

/// Can the v1 hierarchies be left out on this host?
pub(super) fn is_possible(cgroups: &Cgroups) -> bool {
    let layout = cgroups.layout();
    let inside = |mount: &Path| mount != Path::new(ROOT) && mount.starts_with(ROOT);
    layout.mode() != Mode::Unified
        && layout.hierarchies().iter().all(|one| inside(&one.mount))
        && statfs(ROOT).is_ok_and(|found| found.f_type == TMPFS_MAGIC)
}

/// Would this workload see a difference: in what is mounted in it, what it hands on to the host, or what its
/// hooks find?
pub(super) fn is_noticed(spec: &Spec, rootfs: &Path) -> bool {
    let linux = spec.linux().as_ref();
    let propagation = linux.and_then(|linux| linux.rootfs_propagation().as_deref());
    let covered = linux.into_iter().flat_map(|linux| {
        let masked = linux.masked_paths().iter().flatten();
        masked.chain(linux.readonly_paths().iter().flatten())
    });
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    let views = mounts.iter().filter(|mount| is_cgroup_mount(mount)).count();
    let has_sysfs = mounts.iter().any(|mount| {
        mount.typ().as_deref() == Some("sysfs") && mount.destination() == Path::new("/sys")
    });
    spec.hooks().is_some()
        || !has_namespace(spec, LinuxNamespaceType::Mount)
        || matches!(propagation, Some("shared" | "rshared"))
        || shows_hierarchies(rootfs)
        || views > 1
        || (views == 1 && !has_sysfs)
        || covered
            .into_iter()
            .any(|path| Path::new(path).starts_with(ROOT))
        || mounts.iter().any(is_mount_noticed)
}

fn is_mount_noticed(mount: &Mount) -> bool {
    let is_shared = |option: &String| matches!(option.as_str(), "shared" | "rshared");
    let destination = mount.destination();
    if is_cgroup_mount(mount) {
        return destination != Path::new(ROOT);
    }
    let source = mount.source().as_deref().filter(|path| path.is_absolute());
    let is_crooked = destination
        .components()
        .any(|part| !matches!(part, Component::RootDir | Component::Normal(_)));
    let is_above = ["/", "/sys"]
        .map(Path::new)
        .contains(&destination.as_path());
    mount.options().iter().flatten().any(is_shared)
        || source.is_some_and(shows_hierarchies)
        || is_crooked
        || destination.starts_with(ROOT)
        || (Path::new(ROOT).starts_with(destination) && !is_above)
}

/// Is it a place of the host's from which its hierarchies are seen?
fn shows_hierarchies(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.starts_with(ROOT) || Path::new(ROOT).starts_with(&path)
}

/// Leaves them out, in a mount namespace of this process's own.
pub(super) fn leave_v1_out() -> io::Result<()> {
    // SAFETY: no descriptor table is unshared, and there is one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
    // What is unmounted here stays mounted elsewhere.
    let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", flags)?;
    unmount(ROOT, UnmountFlags::DETACH)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    mount("tmpfs", ROOT, "tmpfs", flags, c"mode=755,size=64k")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn noticed(change: impl FnOnce(&mut Value)) -> bool {
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
        is_noticed(&spec, Path::new("/srv/root"))
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
}
