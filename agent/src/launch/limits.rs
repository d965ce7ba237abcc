//! Limits of a workload that `libcontainer` is not to set.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use libcgroups::common::{CgroupConfig, CgroupManager, ControllerOpt, create_cgroup_manager};
use libcontainer::oci_spec::runtime::{LinuxResources, Spec};

use super::cgroups::Cgroups;
use super::spec::Devices;
use super::{Id, LaunchError};
use crate::cgroup::Controller;

/// Takes them out of a specification; the workload has them before it runs.
pub(super) fn take(spec: &mut Spec) -> Option<LinuxResources> {
    let linux = spec.linux_mut().as_mut()?;
    let limits = linux.resources().clone();
    linux.set_resources(None);
    limits
}

/// Sets a new workload's. Device rules alone, which every workload has, take one file on v1 and none on v2. They
/// are written one by one, which is to be over before, or to begin after, it is made: the first forbids all.
pub(super) fn apply_first(
    resources: &LinuxResources,
    cgroups: &Cgroups,
    id: &Id,
) -> Result<(), LaunchError> {
    let rules = resources.devices().as_deref().unwrap_or_default();
    let mut others = resources.clone();
    others.set_devices(None);
    if others == LinuxResources::default() {
        return set_devices(&Devices::evaluate(rules), cgroups);
    }
    apply(resources, cgroups, id)
}

/// Sets them as `libcgroups` does, in all hierarchies of this host.
pub(super) fn apply(
    resources: &LinuxResources,
    cgroups: &Cgroups,
    id: &Id,
) -> Result<(), LaunchError> {
    let path = cgroups.placement().paths.values().next().cloned();
    let manager = create_cgroup_manager(CgroupConfig {
        cgroup_path: PathBuf::from(path.unwrap_or_default()),
        systemd_cgroup: false,
        container_name: id.to_string(),
    });
    let manager = manager.map_err(|error| LaunchError::Update(error.to_string()))?;
    manager
        .apply(&ControllerOpt {
            resources,
            disable_oom_killer: false,
            oom_score_adj: None,
            freezer_state: None,
        })
        .map_err(|error| LaunchError::Update(error.to_string()))
}

/// A cgroup begins with what its parent may: nothing is to be written where nothing is forbidden.
fn set_devices(devices: &Devices, cgroups: &Cgroups) -> Result<(), LaunchError> {
    let Some(directory) = cgroups.of(Controller::Devices) else {
        return Ok(());
    };
    let exceptions = devices.exceptions.iter().map(ToString::to_string);
    match devices.allow_by_default {
        true => write_each(directory.join("devices.deny"), exceptions),
        false => {
            write_each(
                directory.join("devices.deny"),
                std::iter::once("a".to_owned()),
            )?;
            write_each(directory.join("devices.allow"), exceptions)
        }
    }
}

/// One rule a write.
fn write_each(path: PathBuf, rules: impl Iterator<Item = String>) -> Result<(), LaunchError> {
    let mut rules = rules.peekable();
    if rules.peek().is_none() {
        return Ok(());
    }
    let opened = File::options().write(true).open(&path);
    let written =
        opened.and_then(|mut file| rules.try_for_each(|rule| file.write_all(rule.as_bytes())));
    written.map_err(|source| LaunchError::Write { path, source })
}
