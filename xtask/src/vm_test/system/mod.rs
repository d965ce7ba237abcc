//! The Debian system that a guest boots whose init is systemd: an ext4 image of packages, with real
//! engines among them.
//!
//! The image is packages and nothing else: unpacked, their scripts never run, and kept by the names
//! and versions of all of them. What makes a system of it is in [`layer`], which goes over it.

pub(super) mod layer;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::choice;
use super::debian::{self, Suite};
use crate::{command, host};

/// Of the C library that tests are linked with on Debian 12, or of an older one.
const SUITE: &str = "bookworm";
/// With all that they depend on.
const PACKAGES: [&str; 14] = [
    "base-files",
    "busybox-static",
    "coreutils",
    "crun",
    "dash",
    "dbus",
    "docker.io",
    "iproute2",
    "mount",
    "podman",
    "procps",
    "systemd",
    "systemd-sysv",
    "tar",
];
/// What nobody reads in a guest, by tar's patterns.
const WITHOUT: [&str; 5] = [
    "./usr/share/doc/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./usr/share/perl/*",
];
/// Since Debian 12 these are links into `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
/// Of how the image is made; another one makes another image.
const RECIPE: &str = "1";
/// Beside the files: inodes, directories, block maps.
const ROOM_KIB: u64 = 64 << 10;

/// An image that is ready to boot.
#[derive(Clone, Debug)]
pub(super) struct System {
    pub(super) image: PathBuf,
    /// `name version`, of every package.
    packages: Vec<String>,
}

impl System {
    /// The newest versions as an image; from the cache when they were chosen not long ago, and only
    /// from there when `offline`.
    pub(super) fn get(cache: &Path, offline: bool) -> Result<Self> {
        let folder = cache.join("system");
        fs::create_dir_all(&folder)?;
        let choice = folder.join("choice");
        if let Some(digest) = choice::standing(&choice, offline)
            && let Ok(system) = Self::made(&folder, &digest)
        {
            return Ok(system);
        }
        if offline {
            anyhow::bail!("there is no system in {}", folder.display());
        }
        let suite = Suite::open(&cache.join("apt"), SUITE, false)?;
        let packages = suite.closure(&PACKAGES)?;
        let digest = digest(&packages);
        let system = match Self::made(&folder, &digest) {
            Ok(system) => system,
            Err(_) => Self::make(&suite, packages, &folder, &digest)?,
        };
        fs::write(choice, digest)?;
        Ok(system)
    }

    fn make(suite: &Suite, packages: Vec<String>, folder: &Path, digest: &str) -> Result<Self> {
        println!("vm-test: making a system of {} packages", packages.len());
        let files = suite.download_closure(&PACKAGES)?;
        // What is there is of versions that nobody asks for any more.
        fs::remove_dir_all(folder)?;
        let tree = folder.join("tree");
        fs::create_dir_all(tree.join("usr"))?;
        for name in MERGED {
            fs::create_dir(tree.join("usr").join(name))?;
            symlink(format!("usr/{name}"), tree.join(name))?;
        }
        debian::unpack_as_root(&files, &tree, &WITHOUT)?;
        let image = folder.join(format!("{digest}.img"));
        write_image(&tree, &image)?;
        fs::remove_dir_all(&tree)?;
        // Last: without the list, the image is none.
        fs::write(image.with_extension("packages"), packages.join("\n"))?;
        Ok(Self { image, packages })
    }

    fn made(folder: &Path, digest: &str) -> Result<Self> {
        let image = folder.join(format!("{digest}.img"));
        let packages = fs::read_to_string(image.with_extension("packages"))?;
        Ok(Self {
            image,
            packages: packages.lines().map(str::to_owned).collect(),
        })
    }
}

impl std::fmt::Display for System {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = ["systemd", "docker.io", "podman"].map(|name| {
            let mut all = self.packages.iter().filter_map(|one| one.split_once(' '));
            let version = all.find_map(|(found, version)| (found == name).then_some(version));
            format!("{name} {}", version.unwrap_or("?"))
        });
        write!(formatter, "{}", told.join(", "))
    }
}

fn digest(packages: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in [RECIPE, &WITHOUT.join(" "), &packages.join("\n")] {
        hasher.update(part);
        hasher.update([0]);
    }
    let all = hasher.finalize();
    all.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Everything in it is root's, whoever runs this.
fn write_image(tree: &Path, image: &Path) -> Result<()> {
    let used = command::output(Command::new("du").arg("-sk").arg(tree))?;
    let used: u64 = used
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .context("du tells no size")?;
    let program = host::program("mke2fs").context("mke2fs is missing (package e2fsprogs)")?;
    let mut mke2fs = if host::is_root() {
        Command::new(&program)
    } else {
        let mut own = Command::new("unshare");
        own.arg("--map-root-user").arg(&program);
        own
    };
    mke2fs
        .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0"])
        .args(["-i", "8192", "-d"])
        .arg(tree)
        .arg(image)
        .arg(format!("{}k", used + used / 20 + ROOM_KIB));
    command::output(&mut mke2fs).map(drop)
}
