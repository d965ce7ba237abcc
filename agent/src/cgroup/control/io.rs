//! Caps and weights of block devices.

use std::path::Path;

use cgroups_rs::fs::blkio::BlkIoController;
use nix::errno::Errno;

use super::site::{Site, explain};
use super::{ControlError, IoCaps, Knob, NotEnforceable, Setting, weight};
use crate::cgroup::{DeviceNumber, parse};

/// block/blk-throttle.c throtl_legacy_files[], v6.12.
pub(super) const V1_MAX: [&str; 4] = [
    "blkio.throttle.read_bps_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_iops_device",
];

pub(super) const V1_SEES_NO_BUFFERED_WRITES: &str = "v1 blkio does not see buffered writes: the \
     kernel writes them back later, outside the cgroup. Reads and direct writes are capped";

/// include/linux/backing-dev.h inode_cgwb_enabled(), v6.12.
pub(super) const NO_WRITEBACK_WITHOUT_MEMORY: &str = "buffered writes are not capped: the kernel \
     writes them back on a cgroup's account only where memory and io are both on cgroup v2";

const BFQ_ONLY: &str = "only disks whose scheduler is bfq heed this weight";
const COST_ONLY: &str = "only disks with io.cost enabled heed this weight";

/// As the kernel would take it. A number of operations of 32 bits or more is unlimited to it.
pub(super) fn valid(device: DeviceNumber, caps: IoCaps) -> Result<IoCaps, ControlError> {
    let limited = |most: u64| move |number: &u64| *number < most;
    let valid = IoCaps {
        rbps: caps.rbps.filter(limited(u64::MAX)),
        wbps: caps.wbps.filter(limited(u64::MAX)),
        riops: caps.riops.filter(limited(u32::MAX.into())),
        wiops: caps.wiops.filter(limited(u32::MAX.into())),
    };
    if numbers(valid).contains(&Some(0)) {
        return Err(ControlError::Invalid {
            knob: Knob::IoMax(device),
            value: caps.to_string(),
            reason: "0 is refused by v2, and unlimited on v1".to_owned(),
        });
    }
    Ok(valid)
}

/// In the order of [`V1_MAX`].
fn numbers(caps: IoCaps) -> [Option<u64>; 4] {
    [caps.rbps, caps.wbps, caps.riops, caps.wiops]
}

/// Disks that are capped in any way.
pub(super) fn capped_disks(site: &Site) -> Vec<DeviceNumber> {
    let files: &[&str] = if site.is_unified() {
        &["io.max"]
    } else {
        &V1_MAX
    };
    let texts = files.iter().filter_map(|file| site.read(file).ok());
    let mut disks: Vec<DeviceNumber> = texts
        .flat_map(|text| text.lines().filter_map(disk_of_line).collect::<Vec<_>>())
        .collect();
    disks.sort_unstable();
    disks.dedup();
    disks
}

/// `8:0 rbps=…`
fn disk_of_line(line: &str) -> Option<DeviceNumber> {
    let (major, minor) = line.split_once(' ')?.0.split_once(':')?;
    Some(DeviceNumber {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

pub(super) fn read_max(site: &Site, device: DeviceNumber) -> Result<IoCaps, ControlError> {
    let name = format!("{}:{}", device.major, device.minor);
    let of_device = |text: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '));
        line.map(str::to_owned)
    };
    if !site.is_unified() {
        let mut found = [None; 4];
        for (file, number) in V1_MAX.iter().zip(&mut found) {
            if let Some(text) = of_device(&site.read(file)?) {
                let value: u64 = site.parse(file, text.trim())?;
                *number = (value != 0).then_some(value);
            }
        }
        let [rbps, wbps, riops, wiops] = found;
        return Ok(IoCaps {
            rbps,
            wbps,
            riops,
            wiops,
        });
    }
    let mut caps = IoCaps::default();
    let line = of_device(&site.read("io.max")?).unwrap_or_default();
    for pair in line.split_whitespace() {
        let number = |text: &str| match text {
            "max" => Ok(None),
            number => site.parse("io.max", number).map(Some),
        };
        match pair.split_once('=') {
            Some(("rbps", text)) => caps.rbps = number(text)?,
            Some(("wbps", text)) => caps.wbps = number(text)?,
            Some(("riops", text)) => caps.riops = number(text)?,
            Some(("wiops", text)) => caps.wiops = number(text)?,
            _ => return Err(site.odd("io.max", &line)),
        }
    }
    Ok(caps)
}

/// Bytes a second and device of one line of `io.max`; `None` without such a cap.
pub(super) fn write_cap(line: &str) -> Option<(u64, DeviceNumber)> {
    let (device, caps) = line.split_once(' ')?;
    let rate = caps.split(' ').find_map(|cap| cap.strip_prefix("wbps="))?;
    Some((rate.parse().ok()?, parse::device(device.as_bytes())?))
}

pub(super) fn write_max(
    site: &Site,
    device: DeviceNumber,
    caps: IoCaps,
) -> Result<(), ControlError> {
    let written = if site.is_unified() {
        let line = format!("{}:{} {caps}", device.major, device.minor);
        site.write("io.max", &line)
    } else {
        v1_write_max(site, device, caps)
    };
    written.map_err(|error| {
        explain(error, |errno| match errno {
            Errno::ENODEV => Some(not_a_disk(device)),
            _ => None,
        })
    })
}

/// Four files; what one of them refuses, the others give back.
fn v1_write_max(site: &Site, device: DeviceNumber, caps: IoCaps) -> Result<(), ControlError> {
    let before = numbers(read_max(site, device)?);
    let wanted = numbers(caps);
    for (at, (now, number)) in before.iter().zip(wanted).enumerate() {
        if *now == number {
            continue;
        }
        if let Err(error) = v1_write_one(site, device, at, number) {
            for (at, now) in before.iter().enumerate().take(at) {
                if let Err(error) = v1_write_one(site, device, at, *now) {
                    tracing::warn!(%error, "I/O cap not put back");
                }
            }
            return Err(error);
        }
    }
    Ok(())
}

fn v1_write_one(
    site: &Site,
    device: DeviceNumber,
    at: usize,
    number: Option<u64>,
) -> Result<(), ControlError> {
    // 0 takes the device's line out.
    let number = number.unwrap_or(0);
    let (major, minor) = (device.major.into(), device.minor.into());
    let Some(file) = V1_MAX.get(at) else {
        return Ok(());
    };
    site.through(file, &format!("{major}:{minor} {number}"), |path| {
        let controller = BlkIoController::new(path.clone(), path, false);
        match at {
            0 => controller.throttle_read_bps_for_device(major, minor, number),
            1 => controller.throttle_write_bps_for_device(major, minor, number),
            2 => controller.throttle_read_iops_for_device(major, minor, number),
            _ => controller.throttle_write_iops_for_device(major, minor, number),
        }
    })
}

/// block/blk-cgroup.c blkg_conf_open_bdev(), v6.12.
fn not_a_disk(device: DeviceNumber) -> String {
    let sysfs = format!("/sys/dev/block/{}:{}", device.major, device.minor);
    let sysfs = Path::new(&sysfs);
    if sysfs.join("partition").exists() {
        "it is a partition; the kernel caps whole disks".to_owned()
    } else if sysfs.exists() {
        "the disk is not ready".to_owned()
    } else {
        "there is no such disk".to_owned()
    }
}

/// The file that carries the weight; which one depends on what the kernel was built with and has
/// loaded.
pub(super) fn weight_file(site: &Site) -> Result<&'static str, ControlError> {
    let candidates = if site.is_unified() {
        ["io.weight", "io.bfq.weight"]
    } else {
        ["blkio.bfq.weight", "blkio.weight"]
    };
    for file in candidates {
        if site.has(file)? {
            return Ok(file);
        }
    }
    Err(NotEnforceable {
        what: "io.weight",
        reason: format!(
            "neither {} nor {} is there: this kernel has no scheduler that weighs cgroups, or has \
             not loaded it, or the controller is not enabled",
            candidates[0], candidates[1]
        ),
    }
    .into())
}

pub(super) fn weight_caveat(site: &Site) -> &'static str {
    match weight_file(site) {
        Ok("io.weight") => COST_ONLY,
        _ => BFQ_ONLY,
    }
}

pub(super) fn read_weight(site: &Site) -> Result<Setting, ControlError> {
    let file = weight_file(site)?;
    let text = site.read(file)?;
    // Lines of single devices follow the default; v1 has the number alone.
    let first = text.lines().next().unwrap_or_default();
    let number = site.parse(file, first.trim_start_matches("default "))?;
    Ok(if file == "io.weight" {
        Setting::IoWeight(number)
    } else {
        Setting::IoBfqWeight(number)
    })
}

/// In the unit of the file that carries it.
pub(super) fn native_weight(site: &Site, setting: &Setting) -> Result<Setting, ControlError> {
    let cost = weight_file(site)? == "io.weight";
    let (native, right, range) = match (setting, cost) {
        (Setting::IoWeight(weight), _) => {
            let native = if cost {
                setting.clone()
            } else {
                Setting::IoBfqWeight(weight::to_bfq(*weight))
            };
            (native, (1..=10_000).contains(weight), "1 to 10000")
        }
        (Setting::IoBfqWeight(bfq), _) => {
            let native = if cost {
                Setting::IoWeight(weight::from_bfq(*bfq))
            } else {
                setting.clone()
            };
            (native, (1..=1_000).contains(bfq), "1 to 1000")
        }
        (other, _) => (other.clone(), true, ""),
    };
    if right {
        return Ok(native);
    }
    Err(ControlError::Invalid {
        knob: Knob::IoWeight,
        value: setting.value(),
        reason: format!("the kernel takes {range}"),
    })
}

/// The default; weights of single devices stay.
pub(super) fn write_weight(site: &Site, weight: u64) -> Result<(), ControlError> {
    let file = weight_file(site)?;
    let value = if site.is_unified() {
        format!("default {weight}")
    } else {
        weight.to_string()
    };
    site.write(file, &value)
}
