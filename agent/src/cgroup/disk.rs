//! The disk under a path, as `io.max` names it.
//!
//! The kernel caps whole disks: a partition's number is refused, and files of overlayfs and btrfs
//! show a number that belongs to no device at all. A device-mapper volume, a RAID array and a loop
//! device are disks of their own here: the bytes that the workload reads and writes are counted and
//! held back where it hands them in, before the volume splits them up (block/blk-core.c
//! submit_bio_noacct_nocheck(), v6.12).

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, major, minor};
use procfs::process::MountInfo;

use super::DeviceNumber;
use super::parse;

/// Overlays may lie on overlays.
const DEEPEST: usize = 8;

/// Why a path has no disk that can be capped.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("cannot look at {path}")]
    Unreachable { path: PathBuf, source: io::Error },
    #[error("{path} has no disk: it is on {kind}, which {why}")]
    NoDisk {
        path: PathBuf,
        /// File system type.
        kind: String,
        why: &'static str,
    },
    #[error("{path} is on several disks, {}: name one by its device file", .disks.join(" and "))]
    Several { path: PathBuf, disks: Vec<String> },
    #[error("{path} is on device {}:{}, which sysfs does not know", .device.major, .device.minor)]
    Unknown { path: PathBuf, device: DeviceNumber },
    #[error("{path} lies on too many layers")]
    TooDeep { path: PathBuf },
}

/// The whole disk that holds a path, or that a device file names. For a file that overlayfs shows,
/// the disk that writes to it end up on.
///
/// # Errors
/// Not there, or on something that is no disk: memory, the network, several disks.
pub fn disk_of(path: &Path) -> Result<DeviceNumber, DiskError> {
    let unreachable = |source| DiskError::Unreachable {
        path: path.to_owned(),
        source,
    };
    let mountinfo = std::fs::read("/proc/self/mountinfo").map_err(unreachable)?;
    let host = Host {
        mounts: mounts(&String::from_utf8_lossy(&mountinfo)),
        sys: Path::new("/sys"),
        look,
    };
    host.disk_of(path)
}

/// What the kernel says of a path.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Of the file system it is on.
    device: DeviceNumber,
    /// Of a block device's file.
    special: Option<DeviceNumber>,
    /// Which line of the mount table it is on.
    mount: i32,
}

struct Host<'a, L> {
    mounts: Vec<MountInfo>,
    sys: &'a Path,
    look: L,
}

impl<L: Fn(&Path) -> io::Result<Seen>> Host<'_, L> {
    fn disk_of(&self, path: &Path) -> Result<DeviceNumber, DiskError> {
        let mut layer = path.to_owned();
        for _ in 0..DEEPEST {
            let seen = (self.look)(&layer).map_err(|source| DiskError::Unreachable {
                path: layer.clone(),
                source,
            })?;
            if let Some(device) = seen.special {
                return self.whole_disk(path, device);
            }
            // Major 0 is no device's.
            if seen.device.major != 0 {
                return self.whole_disk(path, seen.device);
            }
            let mount = self.mounts.iter().find(|mount| mount.mnt_id == seen.mount);
            let Some(mount) = mount else {
                return Err(DiskError::Unknown {
                    path: path.to_owned(),
                    device: seen.device,
                });
            };
            layer = self.below(path, mount)?;
        }
        Err(DiskError::TooDeep {
            path: path.to_owned(),
        })
    }

    /// Where a file system without a device number of its own keeps its files.
    fn below(&self, path: &Path, mount: &MountInfo) -> Result<PathBuf, DiskError> {
        let option = |name: &str| mount.super_options.get(name).cloned().flatten();
        if mount.fs_type == "overlay" {
            let upper = option("upperdir").map(|directory| unescaped(&directory));
            // Read-only: what is read comes from the layers below.
            let lower = || {
                let layers = option("lowerdir")?;
                Some(unescaped(layers.split(':').next()?))
            };
            if let Some(directory) = upper.or_else(lower) {
                return Ok(directory);
            }
        }
        let source = mount.mount_source.as_deref().unwrap_or_default();
        if mount.fs_type == "btrfs" {
            let disks = self.btrfs_disks(source);
            if disks.len() > 1 {
                return Err(DiskError::Several {
                    path: path.to_owned(),
                    disks,
                });
            }
        }
        if source.starts_with("/dev/") {
            return Ok(unescaped(source));
        }
        Err(DiskError::NoDisk {
            path: path.to_owned(),
            kind: mount.fs_type.clone(),
            why: why_no_disk(&mount.fs_type),
        })
    }

    /// Names of all devices of the btrfs file system that one of them belongs to.
    fn btrfs_disks(&self, source: &str) -> Vec<String> {
        let device = Path::new(source).canonicalize();
        let name = device.as_deref().unwrap_or(Path::new(source)).file_name();
        let entries = |directory: &Path| {
            let entries = std::fs::read_dir(directory).into_iter().flatten();
            entries.filter_map(Result::ok).collect::<Vec<_>>()
        };
        for filesystem in entries(&self.sys.join("fs/btrfs")) {
            let devices = entries(&filesystem.path().join("devices"));
            if devices
                .iter()
                .any(|device| Some(device.file_name().as_os_str()) == name)
            {
                let names = devices.iter().map(|one| one.file_name());
                let mut names: Vec<_> = names
                    .map(|name| name.to_string_lossy().into_owned())
                    .collect();
                names.sort();
                return names;
            }
        }
        Vec::new()
    }

    fn whole_disk(&self, path: &Path, device: DeviceNumber) -> Result<DeviceNumber, DiskError> {
        let unknown = || DiskError::Unknown {
            path: path.to_owned(),
            device,
        };
        let name = format!("{}:{}", device.major, device.minor);
        let directory = self.sys.join("dev/block").join(name);
        let directory = directory.canonicalize().map_err(|_| unknown())?;
        if !directory.join("partition").exists() {
            return Ok(device);
        }
        let disk = directory.parent().map(|disk| disk.join("dev"));
        let text = disk.and_then(|disk| std::fs::read(disk).ok());
        text.and_then(|text| parse::device(text.trim_ascii()))
            .ok_or_else(unknown)
    }
}

/// Without following the mount table by names, which may hide each other.
fn look(path: &Path) -> io::Result<Seen> {
    let file = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let stat = fstat(&file)?;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let mount = mount.and_then(|id| id.trim().parse().ok());
    let block =
        SFlag::from_bits_truncate(stat.st_mode).intersection(SFlag::S_IFMT) == SFlag::S_IFBLK;
    Ok(Seen {
        device: number(stat.st_dev),
        special: block.then(|| number(stat.st_rdev)),
        mount: mount.ok_or_else(|| io::Error::other("fdinfo has no mount"))?,
    })
}

fn number(device: nix::libc::dev_t) -> DeviceNumber {
    // Twelve and twenty bits in the kernel.
    DeviceNumber {
        major: major(device) as u32,
        minor: minor(device) as u32,
    }
}

/// Lines that are not understood are left out.
fn mounts(mountinfo: &str) -> Vec<MountInfo> {
    mountinfo
        .lines()
        .filter_map(|line| MountInfo::from_line(line).ok())
        .collect()
}

/// Blanks and the like are octal in the mount table; overlayfs puts a backslash before commas and
/// colons of its own.
fn unescaped(text: &str) -> PathBuf {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (byte, octal) {
            (b'\\', Some(code)) => {
                plain.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            (b'\\', None) => rest = after,
            _ => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&plain).into_owned())
}

fn why_no_disk(kind: &str) -> &'static str {
    match kind {
        "tmpfs" | "ramfs" | "devtmpfs" | "hugetlbfs" => "is in memory",
        "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "afs" | "9p" | "virtiofs" => {
            "another machine keeps: limit its network instead"
        }
        "zfs" => "has a pool of disks: name one by its device file",
        _ if kind.starts_with("fuse") => "another program keeps",
        _ => "has no device",
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
