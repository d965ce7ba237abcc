//! What a guest boots with: a part of its own (plan, modules, folders), and the part that is the
//! same for all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::cpio::Archive;
use super::kernel::Kernel;
use super::modules;
use super::programs::BUSYBOX;
use super::protocol::{OUTBOX, PLAN, Plan, Program, World};
use super::system::layer::LAYER;

/// Mount points, and folders that programs expect.
const FOLDERS: [&str; 14] = [
    "/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp", "/var/run", "/var/lib", "/etc", "/root",
    "/mnt", "/bin", "/sbin", OUTBOX,
];
const MODULES: &str = "/modules";

/// Writes the initramfs of one guest to `out`; `common` goes behind it.
pub(super) fn write(
    out: &Path,
    kernel: &Kernel,
    world: World,
    programs: &[Program],
    common: &Path,
) -> Result<()> {
    let modules = modules::of(kernel, world)?;
    let file = File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for folder in FOLDERS {
        archive.folder(folder)?;
    }
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")?;
    archive.file("/etc/group", b"root:x:0:\n")?;
    archive.file("/etc/hostname", b"guest\n")?;
    archive.file("/etc/hosts", b"127.0.0.1 localhost\n")?;
    // What programs' own files are mounted over.
    archive.file("/etc/resolv.conf", b"")?;
    archive.file(
        "/etc/os-release",
        b"ID=guest\nPRETTY_NAME=\"vm-test guest\"\n",
    )?;
    archive.file(
        BUSYBOX,
        &fs::read(BUSYBOX).context("no busybox (package busybox-static)")?,
    )?;
    let plan = Plan {
        world,
        modules: modules
            .iter()
            .map(|module| format!("{MODULES}/{}", module.name))
            .collect(),
        programs: programs.to_vec(),
    };
    for module in &modules {
        archive.file(&format!("{MODULES}/{}", module.name), &module.content)?;
    }
    // The kernel calls it for what it wants and has not loaded.
    archive.link("/sbin/modprobe", BUSYBOX)?;
    for module in modules::on_demand(kernel)? {
        let path = format!("/lib/modules/{}/{}", kernel.release, module.name);
        archive.file(&path, &module.content)?;
    }
    let plan = serde_json::to_vec(&plan)?;
    archive.file(PLAN, &plan)?;
    if world == World::Systemd {
        archive.file(&format!("{LAYER}{PLAN}"), &plan)?;
    }
    let mut out = archive.finish()?;
    io::copy(&mut File::open(common)?, &mut out)?;
    out.flush()?;
    Ok(())
}
