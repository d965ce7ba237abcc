//! The cgroups a hierarchy has at one instant.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::{CgroupKey, Hierarchy, parse};

/// One cgroup that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: CgroupKey,
    /// Absolute from the hierarchy's root, as the kernel prints it.
    pub path: String,
    /// The directory's modification time: exact for cgroups made while somebody looked, as
    /// engines do; kernfs keeps no other time, and may forget this one under memory pressure.
    pub created: SystemTime,
    /// Has processes, descendants included; v2 only, and not for the root.
    pub populated: Option<bool>,
}

/// Every cgroup of the hierarchy, parents before children, the root first. Cgroups that vanish
/// during the walk are left out; those made during it may or may not be in.
///
/// # Errors
/// The root itself cannot be read.
pub fn scan(hierarchy: &Hierarchy) -> io::Result<Vec<Found>> {
    let root = fs::metadata(&hierarchy.mount)?;
    let mut found = Vec::new();
    let top = hierarchy.root.trim_end_matches('/');
    visit(hierarchy, &hierarchy.mount, top, &root, &mut found)?;
    Ok(found)
}

fn visit(
    hierarchy: &Hierarchy,
    directory: &Path,
    path: &str,
    metadata: &Metadata,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    found.push(Found {
        key: CgroupKey {
            hierarchy: hierarchy.id,
            id: metadata.ino(),
        },
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        },
        created: metadata.modified()?,
        populated: if hierarchy.is_unified() {
            populated(directory)
        } else {
            None
        },
    });
    // kernfs counts subdirectories in nlink (fs/kernfs/inode.c kernfs_refresh_inode(), v6.12), so
    // leaves, with their dozens of files, need not be listed.
    if metadata.nlink() == 2 {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let below = entry.path();
        let Ok(metadata) = fs::metadata(&below) else {
            continue;
        };
        // A name that is not UTF-8 cannot be a path in events or labels either.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        match visit(
            hierarchy,
            &below,
            &format!("{path}/{name}"),
            &metadata,
            found,
        ) {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(path = %below.display(), %error, "cgroup left while scanning");
            }
        }
    }
    Ok(())
}

fn populated(directory: &Path) -> Option<bool> {
    let events = fs::read(directory.join("cgroup.events")).ok()?;
    parse::field(&events, b"populated").map(|value| value != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::HierarchyId;

    #[test]
    fn walks_parents_before_children_and_knows_the_root() {
        let mount = tempfile::tempdir().unwrap();
        fs::create_dir_all(mount.path().join("a/b")).unwrap();
        fs::create_dir(mount.path().join("c")).unwrap();
        fs::write(
            mount.path().join("a/cgroup.events"),
            "populated 1\nfrozen 0\n",
        )
        .unwrap();
        fs::write(
            mount.path().join("c/cgroup.events"),
            "populated 0\nfrozen 0\n",
        )
        .unwrap();
        let hierarchy = Hierarchy {
            id: HierarchyId::V2,
            mount: mount.path().to_owned(),
            root: "/".to_owned(),
            controllers: Vec::new(),
            name: None,
        };
        let found = scan(&hierarchy).unwrap();
        let of = |path: &str| found.iter().position(|f| f.path == path).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(of("/"), 0);
        assert!(of("/a") < of("/a/b"));
        assert_eq!(found[of("/a")].populated, Some(true));
        assert_eq!(found[of("/c")].populated, Some(false));
        assert_eq!(found[of("/a/b")].populated, None);
        let inode = fs::metadata(mount.path().join("a/b")).unwrap().ino();
        assert_eq!(
            found[of("/a/b")].key,
            CgroupKey {
                hierarchy: HierarchyId::V2,
                id: inode
            }
        );
    }
}
