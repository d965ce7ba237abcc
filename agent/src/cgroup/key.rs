//! How a cgroup is named: by hierarchy and id in the kernel, by hierarchy and path in files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `cgroup_root.hierarchy_id`, as `/proc/self/cgroup` and `/proc/cgroups` print it; 0 is cgroup v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HierarchyId(pub u32);

impl HierarchyId {
    /// cgroup v2.
    pub const V2: Self = Self(0);
}

/// A cgroup. The id is the kernfs inode number: unique within its hierarchy for as long as that
/// hierarchy exists, so a removed and re-made path gets a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CgroupKey {
    pub hierarchy: HierarchyId,
    pub id: u64,
}

/// Where one workload sits: its path in each hierarchy that holds it, as the kernel prints them
/// (absolute from the hierarchy's root, `/` is the root).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub paths: BTreeMap<HierarchyId, String>,
}
