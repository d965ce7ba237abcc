//! Which QEMU, and how it emulates.
//!
//! Before 10.0, QEMU translated guest code on one CPU while the guest's kernel patched it on
//! another, and guests died of it at random: with such a QEMU all CPUs share one thread.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::{self, Suite};
use crate::{command, host};

const PROGRAM: &str = "qemu-system-x86_64";
/// First that is safe with a thread a CPU.
const SAFE: u32 = 10;
/// Where a newer one is, for the distribution whose own is older.
const SUITE: &str = "bookworm-backports";
const PACKAGES: [&str; 4] = [
    "qemu-system-x86",
    "qemu-system-common",
    "qemu-system-data",
    "seabios",
];
/// KVM modules that run any kernel; others emulate what their hardware cannot, and fail.
const HARDWARE: [&str; 2] = ["/sys/module/kvm_intel", "/sys/module/kvm_amd"];

/// A QEMU that was tried.
#[derive(Clone, Debug)]
pub(super) struct Qemu {
    program: PathBuf,
    /// Its own BIOS and firmware, when it is not installed.
    data: Option<PathBuf>,
    version: String,
    accelerator: &'static str,
}

impl Qemu {
    /// The host's, or one of backports that is unpacked below `cache` when the host's is old and
    /// there is no KVM.
    pub(super) fn find(cache: &Path, offline: bool) -> Result<Self> {
        let installed =
            host::program(PROGRAM).context("no QEMU; `cargo xtask setup --vm` installs it")?;
        let installed = Self::new(installed, None)?;
        if installed.accelerator != "tcg,thread=single" {
            return Ok(installed);
        }
        match Self::unpacked(cache, offline) {
            Ok(newer) => Ok(newer),
            Err(error) => {
                println!("vm-test: no QEMU {SAFE} beside {installed}: {error:#}");
                Ok(installed)
            }
        }
    }

    fn unpacked(cache: &Path, offline: bool) -> Result<Self> {
        let folder = cache.join("qemu");
        let program = folder.join("usr/bin").join(PROGRAM);
        let data = Some(folder.join("usr/share/qemu"));
        if let Ok(qemu) = Self::new(program.clone(), data.clone()) {
            return Ok(qemu);
        }
        let suite = Suite::open(&cache.join("apt"), SUITE, offline)?;
        let files = suite.download(&PACKAGES.map(str::to_owned))?;
        let _ = fs::remove_dir_all(&folder);
        debian::unpack(&files, &folder)?;
        Self::new(program, data)
    }

    fn new(program: PathBuf, data: Option<PathBuf>) -> Result<Self> {
        let told = command::answer(Command::new(&program).arg("--version"))
            .with_context(|| format!("{} does not run", program.display()))?;
        let version = version(&told).context("QEMU does not tell its version")?;
        let accelerator = if HARDWARE.iter().any(|module| Path::new(module).exists()) {
            "kvm"
        } else if major(&version) >= SAFE {
            "tcg,thread=multi"
        } else {
            "tcg,thread=single"
        };
        Ok(Self {
            program,
            data,
            version,
            accelerator,
        })
    }

    /// A command with accelerator, CPU and firmware set.
    pub(super) fn command(&self) -> Command {
        let mut qemu = Command::new(&self.program);
        if let Some(data) = &self.data {
            qemu.arg("-L").arg(data);
            // Unpacked, its BIOS is in a folder beside.
            if let Some(share) = data.parent() {
                qemu.arg("-L").arg(share.join("seabios"));
            }
        }
        // Without rdrand the guest's entropy pool stays empty, and reading it blocks.
        let cpu = match self.accelerator {
            "kvm" => "host",
            _ => "Nehalem,+rdrand,+rdseed",
        };
        qemu.args(["-M", "q35", "-accel", self.accelerator, "-cpu", cpu]);
        qemu
    }
}

impl std::fmt::Display for Qemu {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "QEMU {} ({})", self.version, self.accelerator)
    }
}

/// `10.0.2` of `QEMU emulator version 10.0.2 (Debian …)`.
fn version(told: &str) -> Option<String> {
    let rest = told.split("version ").nth(1)?;
    Some(rest.split_whitespace().next()?.to_owned())
}

fn major(version: &str) -> u32 {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        let told = "QEMU emulator version 10.0.2 (Debian 1:10.0.2)\nCopyright";
        let found = version(told);
        assert_eq!(found.as_deref(), Some("10.0.2"));
        assert!(major("10.0.2") >= SAFE && major("7.2.22") < SAFE);
        assert_eq!(major("unknown"), 0);
    }
}
