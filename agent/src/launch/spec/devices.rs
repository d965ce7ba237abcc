//! Which devices a workload may use, as rules that were evaluated to a plain list.
//!
//! On cgroup v1 the kernel evaluates the rules itself. On v2 there is no such file: the list becomes
//! a program (`launch::device_program`).

use std::fmt;

use libcontainer::oci_spec::runtime::{Linux, LinuxDeviceCgroup, LinuxDeviceType};

/// Reading, writing, making a node; as `bpf_cgroup_dev_ctx` has them (include/uapi/linux/bpf.h).
pub(in crate::launch) const MKNOD: u32 = 1;
pub(in crate::launch) const READ: u32 = 2;
pub(in crate::launch) const WRITE: u32 = 4;
const ALL: u32 = MKNOD | READ | WRITE;

/// `BPF_DEVCG_DEV_*`.
const BLOCK: u32 = 1;
const CHAR: u32 = 2;

/// Devices every workload has, whatever its rules: type, major, minor, access. `None`: any.
const DEFAULTS: [(u32, Option<u32>, Option<u32>, u32); 12] = [
    (CHAR, None, None, MKNOD),
    (BLOCK, None, None, MKNOD),
    // null, zero, full, random, urandom
    (CHAR, Some(1), Some(3), ALL),
    (CHAR, Some(1), Some(5), ALL),
    (CHAR, Some(1), Some(7), ALL),
    (CHAR, Some(1), Some(8), ALL),
    (CHAR, Some(1), Some(9), ALL),
    // tty, console, ptmx
    (CHAR, Some(5), Some(0), ALL),
    (CHAR, Some(5), Some(1), ALL),
    (CHAR, Some(5), Some(2), ALL),
    // terminals
    (CHAR, Some(136), None, ALL),
    // net/tun
    (CHAR, Some(10), Some(200), ALL),
];

/// A default and what is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::launch) struct Devices {
    pub(in crate::launch) allow_by_default: bool,
    pub(in crate::launch) exceptions: Vec<Exception>,
}

/// Devices for which the opposite of the default holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::launch) struct Exception {
    /// `BPF_DEVCG_DEV_BLOCK` or `_CHAR`.
    pub(in crate::launch) kind: u32,
    pub(in crate::launch) major: Option<u32>,
    pub(in crate::launch) minor: Option<u32>,
    pub(in crate::launch) access: u32,
}

/// Forbids what no rule allows, as runc does: a cgroup of its own would begin with what its parent may.
pub(super) fn forbid_the_rest(linux: &mut Linux) {
    let resources = linux.resources_mut().get_or_insert_default();
    let rules = resources.devices_mut().get_or_insert_default();
    let begins_anew = |rule: &LinuxDeviceCgroup| rule.typ() == Some(LinuxDeviceType::A);
    if !rules.first().is_some_and(begins_anew) {
        let mut all = LinuxDeviceCgroup::default();
        all.set_allow(false);
        all.set_typ(Some(LinuxDeviceType::A));
        all.set_access(Some("rwm".to_owned()));
        rules.insert(0, all);
    }
}

impl Devices {
    /// The rules in order, as the v1 controller takes them (security/device_cgroup.c
    /// `devcgroup_update_access()`, v6.12), then the devices that every workload has.
    pub(in crate::launch) fn evaluate(rules: &[LinuxDeviceCgroup]) -> Self {
        let mut devices = Self {
            allow_by_default: true,
            exceptions: Vec::new(),
        };
        for rule in rules {
            devices.apply(rule);
        }
        for (kind, major, minor, access) in DEFAULTS {
            devices.add(
                true,
                Exception {
                    kind,
                    major,
                    minor,
                    access,
                },
            );
        }
        devices
    }

    /// Nothing is forbidden.
    pub(in crate::launch) fn allow_all(&self) -> bool {
        self.allow_by_default && self.exceptions.is_empty()
    }

    fn apply(&mut self, rule: &LinuxDeviceCgroup) {
        let kinds: &[u32] = match rule.typ().unwrap_or_default() {
            LinuxDeviceType::A => {
                self.allow_by_default = rule.allow();
                self.exceptions.clear();
                return;
            }
            LinuxDeviceType::B => &[BLOCK],
            LinuxDeviceType::C | LinuxDeviceType::U => &[CHAR],
            // A pipe is no device.
            LinuxDeviceType::P => &[],
        };
        // Negative is any.
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        for &kind in kinds {
            let exception = Exception {
                kind,
                major: number(rule.major()),
                minor: number(rule.minor()),
                access: access(rule.access().as_deref()),
            };
            self.add(rule.allow(), exception);
        }
    }

    fn add(&mut self, allow: bool, new: Exception) {
        let same = |old: &&mut Exception| {
            (old.kind, old.major, old.minor) == (new.kind, new.major, new.minor)
        };
        let known = self.exceptions.iter_mut().find(same);
        match (allow == self.allow_by_default, known) {
            (true, Some(old)) => {
                old.access &= !new.access;
                self.exceptions.retain(|exception| exception.access != 0);
            }
            (true, None) => {}
            (false, Some(old)) => old.access |= new.access,
            (false, None) => self.exceptions.push(new),
        }
    }
}

/// As the v1 controller takes it (security/device_cgroup.c `devcgroup_update_access()`, v6.12).
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        let kind = if self.kind == BLOCK { 'b' } else { 'c' };
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} ")?;
        for (bit, letter) in [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')] {
            if self.access & bit != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

fn access(letters: Option<&str>) -> u32 {
    let Some(letters) = letters.filter(|letters| !letters.is_empty()) else {
        return ALL;
    };
    let bit = |letter| match letter {
        'r' => READ,
        'w' => WRITE,
        'm' => MKNOD,
        _ => 0,
    };
    letters.chars().map(bit).fold(0, |access, bit| access | bit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn evaluate(rules: &str) -> Devices {
        let rules: Vec<LinuxDeviceCgroup> = serde_json::from_str(rules).unwrap();
        Devices::evaluate(&rules)
    }

    #[test]
    fn no_rules_forbid_nothing() {
        assert!(evaluate("[]").allow_all());
        assert!(evaluate(r#"[{"allow":true,"access":"rwm"}]"#).allow_all());
    }

    #[test]
    fn exceptions_are_written_as_the_v1_controller_reads_them() {
        let devices = evaluate(
            r#"[{"allow":false,"access":"rwm"},
                {"allow":true,"type":"b","major":8,"minor":-1,"access":"r"}]"#,
        );
        let lines: Vec<_> = devices.exceptions.iter().map(ToString::to_string).collect();
        for line in ["b 8:* r", "b *:* m", "c 1:3 rwm", "c 136:* rwm"] {
            assert!(lines.iter().any(|one| one == line), "{line}: {lines:?}");
        }
    }

    #[test]
    fn dockers_rules_leave_the_listed_devices() {
        let devices = evaluate(
            r#"[{"allow":false,"access":"rwm"},
                {"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
                {"allow":true,"type":"b","major":8,"minor":0,"access":"r"},
                {"allow":true,"type":"b","major":8,"minor":0,"access":"w"}]"#,
        );
        assert!(!devices.allow_by_default);
        let fuse = Exception {
            kind: CHAR,
            major: Some(10),
            minor: Some(229),
            access: READ | WRITE,
        };
        assert!(devices.exceptions.contains(&fuse));
        let disk = Exception {
            kind: BLOCK,
            major: Some(8),
            minor: Some(0),
            access: READ | WRITE,
        };
        assert!(devices.exceptions.contains(&disk));
        assert_eq!(devices.exceptions.len(), 2 + DEFAULTS.len());
    }

    #[test]
    fn denied_devices_are_exceptions_where_all_is_allowed() {
        let devices = evaluate(r#"[{"allow":false,"type":"b","major":8,"access":"w"}]"#);
        let disks = Exception {
            kind: BLOCK,
            major: Some(8),
            minor: None,
            access: WRITE,
        };
        assert_eq!(devices.exceptions, [disks]);
        assert!(devices.allow_by_default);
        let lifted = evaluate(
            r#"[{"allow":false,"type":"b","major":8,"access":"w"},
                {"allow":true,"type":"b","major":8,"access":"w"}]"#,
        );
        assert!(lifted.allow_all());
    }
}
