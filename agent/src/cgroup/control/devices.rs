//! v1's device lists. On v2 a BPF program decides, which is not for this room.

use std::fmt;
use std::path::{Path, PathBuf};

use cgroups_rs::fs::DeviceResource;
use cgroups_rs::fs::devices::{DevicePermissions, DeviceType as Kind, DevicesController};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::site::{Site, cause, explain, path_of};
use super::{Control, ControlError, NotEnforceable};
use crate::cgroup::Controller;

const WHAT: &str = "devices";

/// One line of a list: who it is for, and what may be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceEntry {
    pub kind: DeviceType,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Some of `r`, `w` and `m` (mknod).
    pub access: String,
}

/// Kind of device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceType {
    All,
    Block,
    Char,
}

/// An entry to be allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChange {
    pub allow: bool,
    pub entry: DeviceEntry,
}

/// The list of one cgroup. A list that allows all is one entry for all devices; what it leaves out,
/// the kernel does not show (security/device_cgroup.c devcgroup_seq_show(), v6.12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceList {
    /// Below the workload's cgroup; empty for that itself.
    pub below: PathBuf,
    pub entries: Vec<DeviceEntry>,
}

impl Control {
    /// The lists of the workload's cgroup and of those below it, parents first: a change of one
    /// changes those below.
    ///
    /// # Errors
    /// Devices are on v2, or the cgroup is gone.
    pub fn devices(&self) -> Result<Vec<DeviceList>, ControlError> {
        let site = self.v1_devices()?;
        let own = own_list(site)?;
        let mut lists = vec![DeviceList {
            below: PathBuf::new(),
            entries: own,
        }];
        for directory in site.below() {
            let Ok(below) = directory.strip_prefix(site.directory()) else {
                continue;
            };
            // Gone meanwhile.
            let Ok(entries) = list(&directory) else {
                continue;
            };
            lists.push(DeviceList {
                below: below.to_owned(),
                entries,
            });
        }
        Ok(lists)
    }

    /// Allows and denies, one after the other.
    ///
    /// # Errors
    /// A denied device would stay allowed by a wider entry, which v1 does not split: nothing was
    /// written. Or the kernel refused.
    pub fn change_devices(&self, changes: &[DeviceChange]) -> Result<(), ControlError> {
        let site = self.v1_devices()?;
        let now = own_list(site)?;
        for change in changes.iter().filter(|change| !change.allow) {
            if let Some(wider) = now.iter().find(|entry| entry.outlives(&change.entry)) {
                return Err(refuse(format!(
                    "{} is allowed by {wider}, and v1 takes out whole entries only",
                    change.entry
                )));
            }
        }
        changes
            .iter()
            .try_for_each(|change| apply(site, Path::new(""), change))
    }

    /// Puts lists back as [`devices`](Self::devices) found them before these changes. Exact but for
    /// the order, which has no meaning.
    ///
    /// # Errors
    /// The kernel refused: a cgroup that allowed all cannot do so again while it has cgroups below.
    pub fn restore_devices(
        &self,
        before: &[DeviceList],
        changes: &[DeviceChange],
    ) -> Result<(), ControlError> {
        let site = self.v1_devices()?;
        let now = self.devices()?;
        for list in before {
            let Some(found) = now.iter().find(|found| found.below == list.below) else {
                continue;
            };
            for change in way_back(&list.entries, &found.entries, changes) {
                apply(site, &list.below, &change)?;
            }
        }
        Ok(())
    }

    fn v1_devices(&self) -> Result<&Site, NotEnforceable> {
        self.routes.to(Controller::Devices, WHAT)
    }
}

impl DeviceEntry {
    const ACCESS: &str = "rwm";

    /// Would it still allow some of what is denied, after that was taken out? Allowing all is
    /// different: then the list is of what is denied.
    fn outlives(&self, denied: &Self) -> bool {
        let wider = |own: Option<u32>, other| own.is_none() || own == other;
        self.kind != DeviceType::All
            && denied.kind == self.kind
            && (self.major, self.minor) != (denied.major, denied.minor)
            && wider(self.major, denied.major)
            && wider(self.minor, denied.minor)
            && denied.access.chars().any(|one| self.access.contains(one))
    }

    fn allows_all(&self) -> bool {
        self.kind == DeviceType::All
    }

    fn is_for(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    /// What of its access no entry of the list has.
    fn less(&self, list: &[Self]) -> Option<Self> {
        let missing = |one: &char| {
            let has = |entry: &Self| entry.is_for(self) && entry.access.contains(*one);
            self.access.contains(*one) && !list.iter().any(has)
        };
        let access: String = Self::ACCESS.chars().filter(missing).collect();
        (!access.is_empty()).then(|| Self {
            access,
            ..self.clone()
        })
    }
}

/// What leads from the list that is to the one that was.
fn way_back(
    before: &[DeviceEntry],
    now: &[DeviceEntry],
    changes: &[DeviceChange],
) -> Vec<DeviceChange> {
    let allow = |entry: DeviceEntry| DeviceChange { allow: true, entry };
    let deny = |entry: DeviceEntry| DeviceChange {
        allow: false,
        entry,
    };
    let all = |list: &[DeviceEntry]| list.iter().any(DeviceEntry::allows_all);
    match (all(before), all(now)) {
        // The list does not tell what was denied; we know what we did.
        (true, true) => {
            let denied = changes.iter().rev().filter(|change| !change.allow);
            denied.map(|change| allow(change.entry.clone())).collect()
        }
        (true, false) => before.iter().cloned().map(allow).collect(),
        (false, true) => {
            let everything = DeviceEntry {
                kind: DeviceType::All,
                major: None,
                minor: None,
                access: DeviceEntry::ACCESS.to_owned(),
            };
            let allowed = before.iter().cloned().map(allow);
            std::iter::once(deny(everything)).chain(allowed).collect()
        }
        (false, false) => {
            let extra = now.iter().filter_map(|entry| entry.less(before)).map(deny);
            let missing = before.iter().filter_map(|entry| entry.less(now)).map(allow);
            extra.chain(missing).collect()
        }
    }
}

fn own_list(site: &Site) -> Result<Vec<DeviceEntry>, ControlError> {
    let directory = site.enter()?;
    list(&path_of(&directory)).map_err(|error| site.unread("devices.list", cause(&error)))
}

fn list(directory: &Path) -> Result<Vec<DeviceEntry>, cgroups_rs::fs::error::Error> {
    let controller = DevicesController::new(directory.to_owned(), directory.to_owned());
    let entries = controller.allowed_devices()?;
    Ok(entries.iter().map(DeviceEntry::from).collect())
}

fn apply(site: &Site, below: &Path, change: &DeviceChange) -> Result<(), ControlError> {
    let DeviceChange { allow, entry } = change;
    let file = if *allow {
        "devices.allow"
    } else {
        "devices.deny"
    };
    let access = DevicePermissions::from_str(&entry.access)
        .map_err(|_| refuse(format!("{:?} is no access", entry.access)))?;
    // -1 is any.
    let number = |number: Option<u32>| number.map_or(-1, i64::from);
    let (major, minor) = (number(entry.major), number(entry.minor));
    let kind = match entry.kind {
        DeviceType::All => Kind::All,
        DeviceType::Block => Kind::Block,
        DeviceType::Char => Kind::Char,
    };
    let name = below.join(file);
    let name = name.to_string_lossy();
    let written = site.through(&name, &entry.to_string(), |path| {
        let path = path.join(below);
        let controller = DevicesController::new(path.clone(), path);
        if *allow {
            controller.allow_device(kind, major, minor, &access)
        } else {
            controller.deny_device(kind, major, minor, &access)
        }
    });
    written.map_err(|error| {
        explain(error, |errno| match errno {
            Errno::EPERM => Some("the cgroup above does not allow it".to_owned()),
            Errno::EINVAL if entry.allows_all() => Some("it has cgroups below".to_owned()),
            _ => None,
        })
    })
}

fn refuse(reason: String) -> ControlError {
    NotEnforceable { what: WHAT, reason }.into()
}

impl From<&DeviceResource> for DeviceEntry {
    fn from(line: &DeviceResource) -> Self {
        Self {
            kind: match line.devtype {
                Kind::All => DeviceType::All,
                Kind::Block => DeviceType::Block,
                Kind::Char => DeviceType::Char,
            },
            // -1 is any.
            major: u32::try_from(line.major).ok(),
            minor: u32::try_from(line.minor).ok(),
            access: line.access.iter().map(DevicePermissions::to_char).collect(),
        }
    }
}

/// As the kernel writes it: `c 1:3 rwm`.
impl fmt::Display for DeviceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceType::All => 'a',
            DeviceType::Block => 'b',
            DeviceType::Char => 'c',
        };
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} {}", self.access)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entries(lines: &[&str]) -> Vec<DeviceEntry> {
        let entry = |line: &&str| {
            let mut words = line.split([' ', ':']);
            let mut next = || words.next().unwrap();
            DeviceEntry {
                kind: match next() {
                    "a" => DeviceType::All,
                    "b" => DeviceType::Block,
                    _ => DeviceType::Char,
                },
                major: next().parse().ok(),
                minor: next().parse().ok(),
                access: next().to_owned(),
            }
        };
        lines.iter().map(entry).collect()
    }

    fn change(allow: bool, line: &str) -> DeviceChange {
        let entry = entries(&[line]).remove(0);
        assert_eq!(entry.to_string(), line);
        DeviceChange { allow, entry }
    }

    #[test]
    fn a_wider_entry_outlives_a_denied_one() {
        let outlives =
            |wider: &str, denied: &str| entries(&[wider])[0].outlives(&entries(&[denied])[0]);
        assert!(outlives("c *:* m", "c 1:3 rwm"));
        assert!(outlives("c 1:* rwm", "c 1:3 w"));
        assert!(!outlives("c 1:3 rwm", "c 1:3 w"));
        assert!(!outlives("c *:* m", "c 1:3 rw"));
        assert!(!outlives("b *:* rwm", "c 1:3 rw"));
        assert!(!outlives("a *:* rwm", "c 1:3 rw"));
    }

    #[test]
    fn the_way_back_is_the_difference() {
        let before = entries(&["c 1:3 rwm", "c 1:5 rw", "b 7:* r"]);
        let now = entries(&["c 1:3 r", "b 7:* rw", "c 5:1 m"]);
        assert_eq!(
            way_back(&before, &now, &[]),
            [
                change(false, "b 7:* w"),
                change(false, "c 5:1 m"),
                change(true, "c 1:3 wm"),
                change(true, "c 1:5 rw"),
            ]
        );
        assert_eq!(way_back(&before, &before, &[]), []);
    }

    #[test]
    fn the_way_back_to_all() {
        let all = entries(&["a *:* rwm"]);
        let made = [change(false, "c 1:3 w"), change(true, "c 1:5 w")];
        assert_eq!(way_back(&all, &all, &made), [change(true, "c 1:3 w")]);
        let some = entries(&["c 1:3 rwm"]);
        assert_eq!(way_back(&all, &some, &made), [change(true, "a *:* rwm")]);
        assert_eq!(
            way_back(&some, &all, &made),
            [change(false, "a *:* rwm"), change(true, "c 1:3 rwm")]
        );
    }
}
