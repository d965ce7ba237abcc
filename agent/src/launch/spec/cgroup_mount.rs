//! The workload's view of its own cgroups.
//!
//! Where v1 is mounted, `libcontainer` 0.7.0 mounts v1 hierarchies writable whatever the specification says
//! (rootfs/mount.rs, `setup_emulated_subsystem`), and a process that is root in there then lifts its
//! own limits. So it never gets to see such a mount: the same view is put together of read-only binds.

use std::path::Path;

use libcontainer::oci_spec::runtime::{Mount, MountBuilder, Spec};

use super::Warning;
use crate::launch::cgroups::Cgroups;

/// What the mount points are made in; nothing else fits in there.
const STAGE: [&str; 5] = ["nosuid", "noexec", "nodev", "mode=755", "size=64k"];
const BIND: [&str; 6] = ["bind", "ro", "nosuid", "nodev", "noexec", "relatime"];

/// Is it a view of cgroups?
pub(in crate::launch) fn is_cgroup_mount(mount: &Mount) -> bool {
    matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2"))
}

/// Says which version is meant by `cgroup`, where `libcontainer` cannot find that out: v2.
pub(super) fn name_kind(spec: &mut Spec) {
    let mounts = spec.mounts_mut().iter_mut().flatten();
    for mount in mounts.filter(|mount| is_cgroup_mount(mount)) {
        mount.set_typ(Some("cgroup2".to_owned()));
    }
}

/// Replaces each cgroup mount; or takes them out, if they are made later: whether there were any.
pub(super) fn replace(
    spec: &mut Spec,
    cgroups: &Cgroups,
    later: bool,
    warnings: &mut Vec<Warning>,
) -> bool {
    let Some(mounts) = spec.mounts_mut() else {
        return false;
    };
    let mut any = false;
    let mut replaced = Vec::with_capacity(mounts.len());
    for mount in mounts.drain(..) {
        if !is_cgroup_mount(&mount) {
            replaced.push(mount);
            continue;
        }
        any = true;
        let mut options = mount.options().iter().flatten();
        if !options.any(|option| option == "ro") && !warnings.contains(&Warning::CgroupMount) {
            warnings.push(Warning::CgroupMount);
        }
        if !later {
            replaced.extend(view(mount.destination(), cgroups));
        }
    }
    *mounts = replaced;
    any
}

fn view(destination: &Path, cgroups: &Cgroups) -> Vec<Mount> {
    let mut mounts = vec![mount("tmpfs", Path::new("tmpfs"), destination, &STAGE)];
    for (name, directory) in cgroups.seen() {
        mounts.push(mount("bind", &directory, &destination.join(name), &BIND));
    }
    mounts.into_iter().flatten().collect()
}

/// `None` does not happen: nothing that the builder asks for is missing.
fn mount(kind: &str, source: &Path, destination: &Path, options: &[&str]) -> Option<Mount> {
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    MountBuilder::default()
        .destination(destination)
        .typ(kind)
        .source(source)
        .options(options)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::{Hierarchy, HierarchyId, Layout, Placement};

    #[test]
    fn no_cgroup_mount_is_left_and_every_bind_is_read_only() {
        let hierarchy = |id, mount: &str| Hierarchy {
            id: HierarchyId(id),
            mount: mount.into(),
            root: "/".to_owned(),
            controllers: Vec::new(),
            name: None,
        };
        let mounts = [(0, "/c/unified"), (1, "/c/cpu,cpuacct"), (2, "/c/pids")];
        let layout = Layout::from_hierarchies(mounts.map(|(id, at)| hierarchy(id, at)).to_vec());
        let paths = [0, 1, 2].map(|id| (HierarchyId(id), "/a".to_owned()));
        let cgroups = Cgroups::in_layout(
            layout,
            Placement {
                paths: paths.into(),
            },
        );
        let mut spec: Spec = serde_json::from_str(
            r#"{"ociVersion":"1.0.2","mounts":[{"destination":"/proc","type":"proc"},
               {"destination":"/sys/fs/cgroup","type":"cgroup","options":["rw"]}]}"#,
        )
        .unwrap();
        let mut warnings = Vec::new();
        assert!(replace(&mut spec, &cgroups, false, &mut warnings));
        assert_eq!(warnings, [Warning::CgroupMount]);
        let mounts = spec.mounts().as_ref().unwrap();
        let destinations = mounts.iter().map(|one| one.destination().to_str().unwrap());
        assert_eq!(
            destinations.collect::<Vec<_>>(),
            [
                "/proc",
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/cpu",
                "/sys/fs/cgroup/cpuacct",
                "/sys/fs/cgroup/pids"
            ]
        );
        for mount in mounts {
            assert!(!mount.typ().as_deref().unwrap().starts_with("cgroup"));
            if mount.typ().as_deref() == Some("bind") {
                assert!(mount.options().as_ref().unwrap().contains(&"ro".to_owned()));
            }
        }
    }
}
