//! Devices a container has, and what it may do with them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use bollard::models::{DeviceMapping, HostConfig};
use libcontainer::oci_spec::runtime::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType,
};
use rustix::fs::{major, minor};

use super::SpecError;
use super::error::{refuse, unsupported};
use super::mounts::normal;

const ALL_ACCESS: &str = "rwm";
const DEV: &str = "/dev";
/// In the host's `/dev`, what is each container's own: terminals, shared memory, queues.
const NOT_THE_HOSTS: [&str; 6] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts"];
/// Made for the container when it has a terminal.
const CONSOLE: &str = "/dev/console";

/// Nodes and rules, in the order of the rules' evaluation.
#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) nodes: Vec<LinuxDevice>,
    pub(super) rules: Vec<LinuxDeviceCgroup>,
}

impl Devices {
    /// Those that are asked for; `launch` adds the ones that every workload has.
    pub(super) fn of(host: &HostConfig) -> Result<Self, SpecError> {
        let mut devices = Self::default();
        if host.privileged == Some(true) {
            devices
                .rules
                .push(rule(true, LinuxDeviceType::A, None, None, ALL_ACCESS)?);
            devices.add_directory(Path::new(DEV), Path::new(DEV), None)?;
            return Ok(devices);
        }
        let nothing = rule(false, LinuxDeviceType::A, None, None, ALL_ACCESS)?;
        devices.rules.push(nothing);
        for mapping in host.devices.iter().flatten() {
            devices.add(mapping)?;
        }
        for words in host.device_cgroup_rules.iter().flatten() {
            devices.rules.push(parse_rule(words)?);
        }
        Ok(devices)
    }

    fn add(&mut self, mapping: &DeviceMapping) -> Result<(), SpecError> {
        let (source, target) = paths(mapping);
        let access = access_of(mapping);
        let unknown = |error: std::io::Error| SpecError::Device {
            path: source.clone(),
            reason: message(&error),
        };
        // Links are followed: /dev/disk/by-id/…
        let metadata = fs::metadata(&source).map_err(unknown)?;
        if metadata.is_dir() {
            let before = self.nodes.len();
            self.add_directory(&source, &target, Some(&access))?;
            if self.nodes.len() == before {
                let reason = "not a device node".to_owned();
                return Err(SpecError::Device {
                    path: source,
                    reason,
                });
            }
            return Ok(());
        }
        let Some(node) = node(&metadata, &target)? else {
            let reason = "not a device node".to_owned();
            return Err(SpecError::Device {
                path: source,
                reason,
            });
        };
        self.push(node, Some(&access))
    }

    /// All device nodes below; those that vanish meanwhile are not there.
    fn add_directory(
        &mut self,
        source: &Path,
        target: &Path,
        access: Option<&str>,
    ) -> Result<(), SpecError> {
        let Ok(entries) = fs::read_dir(source) else {
            return Ok(());
        };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let at = source.join(&name);
            let Ok(metadata) = fs::symlink_metadata(&at) else {
                continue;
            };
            if metadata.is_dir() {
                if !NOT_THE_HOSTS.iter().any(|own| name == *own) {
                    self.add_directory(&at, &target.join(&name), access)?;
                }
            } else if at != Path::new(CONSOLE)
                && let Some(node) = node(&metadata, &target.join(&name))?
            {
                self.push(node, access)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, node: LinuxDevice, access: Option<&str>) -> Result<(), SpecError> {
        if let Some(access) = access {
            let number = (Some(node.major()), Some(node.minor()));
            self.rules
                .push(rule(true, node.typ(), number.0, number.1, access)?);
        }
        self.nodes.retain(|other| other.path() != node.path());
        self.nodes.push(node);
        Ok(())
    }
}

/// Checks what can be checked without the host's devices.
pub(super) fn validate(host: &HostConfig) -> Result<(), SpecError> {
    for words in host.device_cgroup_rules.iter().flatten() {
        parse_rule(words)?;
    }
    for mapping in host.devices.iter().flatten() {
        let (source, target) = paths(mapping);
        if !source.is_absolute() || !target.is_absolute() {
            return refuse(format!("{} is not an absolute path", source.display()));
        }
        let access = access_of(mapping);
        if access.is_empty() || !access.chars().all(|one| ALL_ACCESS.contains(one)) {
            return refuse(format!("invalid device mode: {access}"));
        }
        let below = normal(&target);
        if !below.starts_with(DEV) || below == Path::new(DEV) {
            return unsupported(
                format!("a device at {}", target.display()),
                "devices are made below /dev only",
            );
        }
    }
    if let Some(request) = host.device_requests.iter().flatten().next() {
        let driver = request.driver.as_deref().unwrap_or_default();
        let capabilities = request.capabilities.as_deref().unwrap_or_default();
        let sets: Vec<_> = capabilities
            .iter()
            .map(|set| format!("[{}]", set.join(" ")))
            .collect();
        return refuse(format!(
            "could not select device driver {driver:?} with capabilities: [{}]",
            sets.join(" ")
        ));
    }
    Ok(())
}

/// Of a block device: what its limits are set on.
pub(super) fn numbers(path: &str) -> Result<(i64, i64), SpecError> {
    let path = PathBuf::from(path);
    let metadata = fs::metadata(&path).map_err(|source| SpecError::Read {
        path: path.clone(),
        source,
    })?;
    if !metadata.file_type().is_block_device() {
        return refuse(format!("{} is not a block device", path.display()));
    }
    Ok((major(metadata.rdev()).into(), minor(metadata.rdev()).into()))
}

fn paths(mapping: &DeviceMapping) -> (PathBuf, PathBuf) {
    let source = mapping.path_on_host.clone().unwrap_or_default();
    let target = mapping
        .path_in_container
        .clone()
        .filter(|path| !path.is_empty());
    let target = target.unwrap_or_else(|| source.clone());
    (source.into(), target.into())
}

fn access_of(mapping: &DeviceMapping) -> String {
    let given = mapping.cgroup_permissions.clone();
    given
        .filter(|access| !access.is_empty())
        .unwrap_or_else(|| ALL_ACCESS.to_owned())
}

fn node(metadata: &fs::Metadata, target: &Path) -> Result<Option<LinuxDevice>, SpecError> {
    let kind = metadata.file_type();
    let kind = if kind.is_block_device() {
        LinuxDeviceType::B
    } else if kind.is_char_device() {
        LinuxDeviceType::C
    } else {
        return Ok(None);
    };
    let number = metadata.rdev();
    let node = LinuxDeviceBuilder::default()
        .path(normal(target))
        .typ(kind)
        .major(i64::from(major(number)))
        .minor(i64::from(minor(number)))
        .file_mode(metadata.mode() & 0o7777)
        .uid(metadata.uid())
        .gid(metadata.gid())
        .build()?;
    Ok(Some(node))
}

fn rule(
    allow: bool,
    kind: LinuxDeviceType,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> Result<LinuxDeviceCgroup, SpecError> {
    let mut rule = LinuxDeviceCgroupBuilder::default()
        .allow(allow)
        .typ(kind)
        .access(access)
        .build()?;
    rule.set_major(major);
    rule.set_minor(minor);
    Ok(rule)
}

/// `c 10:229 rw`, `b *:* rwm`, `a 7:* r`.
fn parse_rule(words: &str) -> Result<LinuxDeviceCgroup, SpecError> {
    let parsed = || {
        let fields: Vec<_> = words.split(' ').collect();
        let [kind, numbers, access] = fields.as_slice() else {
            return None;
        };
        let kind = match *kind {
            "a" => LinuxDeviceType::A,
            "b" => LinuxDeviceType::B,
            "c" => LinuxDeviceType::C,
            _ => return None,
        };
        let (major, minor) = numbers.split_once(':')?;
        let number = |text: &str| match text {
            "*" => Some(None),
            _ => text
                .parse::<u32>()
                .ok()
                .map(|number| Some(i64::from(number))),
        };
        let access_is_known =
            (1..=3).contains(&access.len()) && access.chars().all(|one| ALL_ACCESS.contains(one));
        access_is_known.then_some((kind, number(major)?, number(minor)?, *access))
    };
    let Some((kind, major, minor, access)) = parsed() else {
        return refuse(format!("invalid device cgroup rule format: '{words}'"));
    };
    rule(true, kind, major, minor, access)
}

/// As Docker words it.
fn message(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
