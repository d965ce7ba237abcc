//! Names of block devices.

use std::path::Path;

use super::DeviceNumber;

const SYS_DEV_BLOCK: &str = "/sys/dev/block";

/// `/dev/sda` for 8:0, from sysfs. `None` when the device is gone. Reads one file: callers cache.
#[must_use]
pub fn device_name(device: DeviceNumber) -> Option<String> {
    name_under(Path::new(SYS_DEV_BLOCK), device)
}

fn name_under(sys_dev_block: &Path, device: DeviceNumber) -> Option<String> {
    let directory = sys_dev_block.join(format!("{}:{}", device.major, device.minor));
    let uevent = std::fs::read_to_string(directory.join("uevent")).ok()?;
    // DEVNAME may hold a directory (`mapper/root`), never a leading slash.
    let name = uevent
        .lines()
        .find_map(|line| line.strip_prefix("DEVNAME="))?;
    Some(format!("/dev/{name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn name_comes_from_uevent() {
        let root = tempfile::tempdir().unwrap();
        let device = DeviceNumber {
            major: 254,
            minor: 0,
        };
        assert_eq!(name_under(root.path(), device), None);
        std::fs::create_dir(root.path().join("254:0")).unwrap();
        let uevent = "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\nDISKSEQ=9\n";
        std::fs::write(root.path().join("254:0/uevent"), uevent).unwrap();
        assert_eq!(name_under(root.path(), device).as_deref(), Some("/dev/vda"));
    }
}
