//! Names of block devices, for the `device` label.

use std::collections::BTreeMap;

use crate::cgroup::{DeviceNumber, device_name};
use crate::ledger::Workload;

/// A device as labels have it.
pub(crate) struct Device {
    /// `/dev/NAME`, or `major:minor` for a device that has gone or has no name.
    pub(crate) path: String,
    pub(crate) major: String,
    pub(crate) minor: String,
}

/// Names of all devices of one snapshot. Made anew for every scrape: a handful of files, and a
/// number that was given to another disk is not kept under its old name.
#[derive(Default)]
pub(crate) struct Devices(BTreeMap<DeviceNumber, Device>);

impl Devices {
    /// Looks up each device that some workload used.
    pub(crate) fn new<'a>(workloads: impl Iterator<Item = &'a Workload>) -> Self {
        let mut devices = BTreeMap::new();
        for io in workloads.filter_map(|workload| workload.reading.io.as_ref()) {
            for number in io.iter().map(|io| io.device) {
                devices.entry(number).or_insert_with(|| Device {
                    path: device_name(number)
                        .unwrap_or_else(|| format!("{}:{}", number.major, number.minor)),
                    major: number.major.to_string(),
                    minor: number.minor.to_string(),
                });
            }
        }
        Self(devices)
    }

    /// `None` only for a device of another snapshot.
    pub(crate) fn get(&self, number: DeviceNumber) -> Option<&Device> {
        self.0.get(&number)
    }
}
