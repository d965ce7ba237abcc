//! Debian packages: which are missing, and installing those.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, host, workspace};

/// Debian's switch that says whether a package may start its services on installation.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Exit 101: "action not allowed" (deb-systemd-invoke(1), invoke-rc.d(8)).
const POLICY_DENY: &str = "#!/bin/sh\nexit 101\n";

/// Installs those of the packages that are missing, without starting their services.
pub(crate) fn ensure(part: &str, packages: &[&str]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        println!("setup: {part}: {} are there", packages.join(" "));
        return Ok(());
    }
    println!("setup: {part}: installing {}", missing.join(" "));
    if !host::is_root() {
        bail!(
            "installing packages needs root: `sudo apt-get install {}`, or this command as root",
            missing.join(" ")
        );
    }
    update()?;
    let policy = ServicesStayDown::install()?;
    let installed = command::run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing),
    );
    policy.remove()?;
    installed
}

/// Whether the package index, brought up to date, knows all of them.
pub(crate) fn offers(packages: &[&str]) -> Result<bool> {
    if host::program("apt-cache").is_none() {
        return Ok(false);
    }
    if host::is_root() && !known(packages) {
        update()?;
    }
    Ok(known(packages))
}

/// The program of a package that is unpacked and not installed: one that would start at every boot
/// and kill.
pub(crate) fn unpacked(package: &str, program: &str) -> Result<PathBuf> {
    let folder = workspace::root().join("target/tools").join(package);
    let found = folder.join(program);
    if found.exists() {
        return Ok(found);
    }
    if !offers(&[package])? {
        bail!("there is no package {package}");
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    command::run(apt_get().args(["download", package]).current_dir(&folder))?;
    let entries = fs::read_dir(&folder).context("cannot look for the package")?;
    for entry in entries.flatten() {
        let file = entry.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            command::run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder))?;
        }
    }
    if !found.exists() {
        bail!("{package} has no {program}");
    }
    Ok(found)
}

fn known(packages: &[&str]) -> bool {
    packages
        .iter()
        .all(|package| command::answer(Command::new("apt-cache").args(["show", package])).is_some())
}

fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    if host::program("dpkg-query").is_none() {
        bail!(
            "this is no Debian; install with its own tools what Debian calls {}",
            packages.join(" ")
        );
    }
    // Fails when some package is unknown, and still answers for the others.
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .context("cannot start dpkg-query")?;
    let answer = String::from_utf8_lossy(&output.stdout);
    Ok(not_installed(packages, &answer))
}

fn not_installed<'a>(packages: &[&'a str], answer: &str) -> Vec<&'a str> {
    packages
        .iter()
        .copied()
        .filter(|package| {
            let line = format!("{package} installed");
            !answer.lines().any(|found| found == line)
        })
        .collect()
}

fn update() -> Result<()> {
    command::run(apt_get().arg("update"))
}

fn apt_get() -> Command {
    let mut apt_get = Command::new("apt-get");
    apt_get
        .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    apt_get
}

/// Keeps packages from starting daemons while they are installed: the tests start their own, in
/// their own folders. A policy that the host already has is left alone.
struct ServicesStayDown {
    ours: bool,
}

impl ServicesStayDown {
    fn install() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, POLICY_DENY).with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {POLICY} executable"))?;
        Ok(Self { ours: true })
    }

    fn remove(self) -> Result<()> {
        if !self.ours {
            return Ok(());
        }
        match fs::remove_file(POLICY) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {POLICY}"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_are_there() {
        let answer = "fio installed\nrunc config-files\nlibfio not-installed\n";
        assert_eq!(
            not_installed(&["fio", "runc", "libfio", "podman"], answer),
            ["runc", "libfio", "podman"]
        );
    }

    #[test]
    fn a_name_that_begins_like_another_is_not_that_other() {
        let answer = "prometheus-node-exporter installed\n";
        assert_eq!(not_installed(&["prometheus"], answer), ["prometheus"]);
    }
}
