//! `cpuset.cpus` and `cpuset.mems`, of the same form on v1 and v2.

use cgroups_rs::fs::cpuset::CpuSetController;
use nix::errno::Errno;

use super::ControlError;
use super::site::{Site, explain};

pub(super) const CPUS: &str = "cpuset.cpus";
pub(super) const MEMS: &str = "cpuset.mems";

pub(super) fn write(site: &Site, file: &'static str, list: &str) -> Result<(), ControlError> {
    let written = if list.is_empty() {
        // Writing nothing is no write; a line of nothing empties the list.
        site.write(file, "\n")
    } else {
        site.through(file, list, |path| {
            let controller = CpuSetController::new(path.clone(), path, site.is_unified());
            if file == CPUS {
                controller.set_cpus(list)
            } else {
                controller.set_mems(list)
            }
        })
    };
    written.map_err(|error| explain(error, |errno| reason(site, file, errno)))
}

/// kernel/cgroup/cpuset-v1.c cpuset1_validate_change(), cpuset.c validate_change(), v6.12.
fn reason(site: &Site, file: &str, errno: Errno) -> Option<String> {
    match errno {
        Errno::EACCES => {
            let parent = site.above().next()?.join(file);
            let list = std::fs::read_to_string(&parent).ok()?;
            Some(format!(
                "not all of it is in {}, which is {:?}",
                parent.display(),
                list.trim_end()
            ))
        }
        Errno::EBUSY => site
            .below()
            .iter()
            .map(|child| child.join(file))
            .find_map(|child| {
                let list = std::fs::read_to_string(&child).ok()?;
                (!list.trim().is_empty()).then(|| {
                    format!(
                        "a cgroup below uses more: {} is {:?}",
                        child.display(),
                        list.trim_end()
                    )
                })
            }),
        Errno::ENOSPC => Some("it would leave its processes nothing to run on".to_owned()),
        Errno::EINVAL => {
            Some("another cpuset holds it exclusively, or it is no such list".to_owned())
        }
        Errno::ERANGE => Some("this host has no such number".to_owned()),
        _ => None,
    }
}

/// Do both lists name the same numbers?
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || matches!((ranges(one), ranges(other)), (Some(one), Some(other)) if one == other)
}

/// A list as ranges that neither touch nor overlap, in order. `None`: not a plain list.
fn ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    let parts = list.trim().split(',').filter(|part| !part.is_empty());
    let mut all = parts
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some((first.parse().ok()?, last.parse().ok()?))
        })
        .collect::<Option<Vec<(u32, u32)>>>()?;
    all.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in all {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn lists_are_the_same_when_their_numbers_are() {
        assert!(same("0,1,2,7", "0-2,7"));
        assert!(same("2,0-1", "0-2"));
        assert!(same("", "\n"));
        assert!(!same("0-2", "0-3"));
        assert!(!same("0-2", ""));
        assert!(!same("0-9:2/3", "0-9"));
    }
}
