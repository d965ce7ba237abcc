//! Where a process is.

use std::io;

use procfs::{FromBufRead, ProcessCGroups};

use super::{HierarchyId, Placement};

/// What the kernel appends to the path of a removed cgroup that still has a (dead) process.
const DELETED: &str = " (deleted)";

/// The placement of a process, from `/proc/PID/cgroup`: one path per mounted hierarchy.
/// Hierarchies in which its cgroup is already removed are left out.
///
/// # Errors
/// The process is gone (`NotFound`, or `ESRCH` while it goes), or the file cannot be read.
pub fn placement_of(pid: u32) -> io::Result<Placement> {
    let text = std::fs::read(format!("/proc/{pid}/cgroup"))?;
    let paths = parse(&text)?
        .into_iter()
        .filter(|line| !line.pathname.ends_with(DELETED))
        .map(|line| (HierarchyId(line.hierarchy), line.pathname))
        .collect();
    Ok(Placement { paths })
}

/// Lines of `/proc/PID/cgroup`. A path that is not UTF-8 comes out lossy and names no cgroup.
pub(super) fn parse(text: &[u8]) -> io::Result<ProcessCGroups> {
    let text = String::from_utf8_lossy(text);
    ProcessCGroups::from_buf_read(text.as_bytes()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn own_placement_has_a_path_in_each_hierarchy() {
        let placement = placement_of(std::process::id()).unwrap();
        let text = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        assert_eq!(placement.paths.len(), text.lines().count());
        for line in text.lines() {
            let (id, rest) = line.split_once(':').unwrap();
            let (_, path) = rest.split_once(':').unwrap();
            assert_eq!(placement.paths[&HierarchyId(id.parse().unwrap())], path);
        }
    }

    #[test]
    fn a_process_that_does_not_exist_is_not_found() {
        // PID_MAX_LIMIT is 2^22.
        let error = placement_of(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
