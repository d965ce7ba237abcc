//! Rules that are on cgroups already.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::attachment::attached;
use super::part::Part;
use super::target::Target;

/// A cgroup with rules on it, whoever set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub cgroup: PathBuf,
    pub id: u64,
    /// Rates, connect or bind rules.
    pub traffic: bool,
    pub devices: bool,
}

/// Every cgroup at and below a cgroup2 directory that has rules on it. Costs some ten microseconds
/// a cgroup.
#[must_use]
pub fn leftovers(root: &Path) -> Vec<Leftover> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        found.extend(leftover(&directory));
        // One that is removed meanwhile has nothing below it.
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        open.extend(below.map(|entry| entry.path()));
    }
    found
}

fn leftover(directory: &Path) -> Option<Leftover> {
    let id = fs::metadata(directory).ok()?.ino();
    let target = Target::open(directory, id).ok()?;
    let holds = |part: &Part| {
        let mut hooks = part.hooks().iter();
        hooks.any(|hook| {
            attached(&target.directory, *part, *hook).is_ok_and(|found| !found.is_empty())
        })
    };
    let traffic = Part::ALL
        .iter()
        .any(|part| *part != Part::Devices && holds(part));
    let devices = holds(&Part::Devices);
    (traffic || devices).then(|| Leftover {
        cgroup: directory.to_owned(),
        id,
        traffic,
        devices,
    })
}
