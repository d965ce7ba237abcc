//! The mount table's cgroup lines.

use std::path::PathBuf;

use procfs::process::MountInfo;

use super::{Controller, HierarchyId};

/// One mount of a cgroup file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CgroupMount {
    pub(super) mount: PathBuf,
    /// The cgroup at the mount point; not `/` where a part of a hierarchy is bind-mounted.
    pub(super) root: String,
    pub(super) kind: MountKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MountKind {
    V2,
    V1 {
        controllers: Vec<Controller>,
        name: Option<String>,
    },
}

/// The cgroup lines of `/proc/self/mountinfo`, in mount order. Lines of other file systems are
/// not looked at, so an odd one among them does no harm.
pub(super) fn parse(mountinfo: &str) -> Vec<CgroupMount> {
    mountinfo
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| MountInfo::from_line(line).ok())
        .filter_map(from_info)
        .collect()
}

fn from_info(info: MountInfo) -> Option<CgroupMount> {
    let kind = match info.fs_type.as_str() {
        "cgroup2" => MountKind::V2,
        "cgroup" => MountKind::V1 {
            controllers: {
                let mut list =
                    Controller::parse_list(info.super_options.keys().map(String::as_str));
                list.sort_unstable();
                list
            },
            name: info.super_options.get("name").cloned().flatten(),
        },
        _ => return None,
    };
    Some(CgroupMount {
        mount: info.mount_point,
        root: info.root,
        kind,
    })
}

impl MountKind {
    /// Which line of `/proc/self/cgroup` is this hierarchy's: its id and controllers.
    pub(super) fn matches(&self, id: HierarchyId, names: &[String]) -> bool {
        match self {
            Self::V2 => id == HierarchyId::V2,
            // A named hierarchy may have controllers too; one without has only its name.
            Self::V1 { controllers, name } => {
                id != HierarchyId::V2
                    && names
                        .iter()
                        .any(|listed| match listed.strip_prefix("name=") {
                            Some(listed) => name.as_deref() == Some(listed),
                            None => Controller::from_kernel_name(listed)
                                .is_some_and(|listed| controllers.contains(&listed)),
                        })
            }
        }
    }
}
