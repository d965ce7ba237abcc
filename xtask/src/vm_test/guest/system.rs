//! From the initramfs into a system of its own: the image below, the layer over it, and over both
//! what is written while it runs.

use std::convert::Infallible;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::super::protocol::SYSTEM_DISK;
use super::super::system::layer::LAYER;
use super::mounts::at;

const IMAGE: &str = "/image";
const WRITTEN: &str = "/written";
const ROOT: &str = "/system";
const SYSTEMD: &str = "/usr/lib/systemd/systemd";
/// Engines put layers over layers, which the kernel refuses on such a file system as the root is.
const PLAIN: [&str; 3] = [
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
];
/// A disk is there some time after its driver.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// Becomes systemd.
pub(super) fn start() -> Result<Infallible> {
    fs::create_dir_all(IMAGE)?;
    let disk = disk()?;
    mount(
        Some(&disk),
        IMAGE,
        Some("ext4"),
        MsFlags::MS_RDONLY,
        None::<&str>,
    )
    .with_context(|| format!("cannot mount {}", disk.display()))?;
    at("tmpfs", WRITTEN, "size=75%")?;
    let (upper, work) = (format!("{WRITTEN}/files"), format!("{WRITTEN}/work"));
    for folder in [&upper, &work] {
        fs::create_dir(folder)?;
    }
    at(
        "overlay",
        ROOT,
        &format!("lowerdir={LAYER}:{IMAGE},upperdir={upper},workdir={work}"),
    )?;
    for point in PLAIN {
        at("tmpfs", &format!("{ROOT}{point}"), "mode=710")?;
    }
    for point in ["/dev", "/proc", "/sys", "/run"] {
        let new = format!("{ROOT}{point}");
        fs::create_dir_all(&new)?;
        move_mount(point, &new)?;
    }
    chdir(ROOT)?;
    move_mount(".", "/")?;
    chroot(".")?;
    chdir("/")?;
    let error = Command::new(SYSTEMD).arg0("/sbin/init").exec();
    bail!("cannot start {SYSTEMD}: {error}")
}

fn move_mount(from: &str, to: &str) -> Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .with_context(|| format!("cannot move {from} to {to}"))
}

/// The disk with the image, by its serial number.
fn disk() -> Result<PathBuf> {
    let deadline = Instant::now() + DISK_PATIENCE;
    loop {
        for device in fs::read_dir("/sys/block")?.filter_map(Result::ok) {
            let serial = fs::read_to_string(device.path().join("serial")).unwrap_or_default();
            if serial.trim() == SYSTEM_DISK {
                return Ok(PathBuf::from("/dev").join(device.file_name()));
            }
        }
        if Instant::now() > deadline {
            bail!("there is no disk {SYSTEM_DISK}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
