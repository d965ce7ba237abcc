//! Loads of system calls, switches, processes, namespaces and disk reads.

use std::alloc::Layout;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Pid, getppid};

use super::{Args, BATCH, Kind, pin, repeat, spawn};

/// Bytes of one read; also their alignment, which is enough for any disk.
const BLOCK: usize = 4096;
/// Blocks of the file that is read.
const BLOCKS: u64 = 256;
/// What the eater takes.
const FEAST: usize = 64 << 20;

pub(super) fn calls(args: &Args) -> Result<f64> {
    pin(Pid::this())?;
    repeat(args, BATCH, || {
        std::hint::black_box(getppid());
        Ok(())
    })
}

pub(super) fn switches(args: &Args) -> Result<f64> {
    let mut other = spawn(Kind::Echo, 0, Path::new("."))?;
    pin(Pid::this())?;
    pin(Pid::from_raw(other.id().cast_signed()))?;
    let mut to = other.stdin.take().context("no pipe")?;
    let mut from = other.stdout.take().context("no pipe")?;
    let mut byte = [0];
    let round_trip_ns = repeat(args, BATCH, || {
        to.write_all(&byte).context("cannot write")?;
        from.read_exact(&mut byte).context("cannot read")
    })?;
    drop(to);
    other.wait().context("cannot wait")?;
    Ok(round_trip_ns / 2.0)
}

/// Sends every byte back.
pub(super) fn echo() -> Result<()> {
    // Past std's buffers, which would cost more than the switch.
    let mut input = File::open("/proc/self/fd/0").context("no input")?;
    let mut output = OpenOptions::new()
        .write(true)
        .open("/proc/self/fd/1")
        .context("no output")?;
    let mut byte = [0];
    while input.read(&mut byte).context("cannot read")? > 0 {
        output.write_all(&byte).context("cannot write")?;
    }
    Ok(())
}

pub(super) fn processes(args: &Args) -> Result<f64> {
    repeat(args, 1, || {
        let status = Command::new("/bin/true").stdin(Stdio::null()).status();
        status.map(drop).context("cannot run /bin/true")
    })
}

pub(super) fn namespaces(args: &Args) -> Result<f64> {
    let home = File::open("/proc/self/ns/uts").context("no namespaces")?;
    repeat(args, BATCH, || {
        unshare(CloneFlags::CLONE_NEWUTS).context("cannot unshare")?;
        setns(&home, CloneFlags::CLONE_NEWUTS).context("cannot setns")
    })
}

pub(super) fn reads(args: &Args, folder: &Path) -> Result<f64> {
    let path = folder.join(format!("plimsoll-bench-{}", std::process::id()));
    fs::write(&path, vec![0; BLOCK * BLOCKS as usize]).context("cannot write a file to read")?;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_DIRECT.bits())
        .open(&path);
    // Open, it needs no name; so nothing is left behind.
    fs::remove_file(&path).context("cannot remove the file to read")?;
    let file = opened.context("this file system has no O_DIRECT")?;
    file.sync_all().context("cannot sync")?;
    let layout = Layout::from_size_align(BLOCK, BLOCK).context("layout")?;
    let mut room = vec![0; layout.size() + layout.align()];
    let start = room.as_ptr().align_offset(layout.align());
    let block = room
        .get_mut(start..start + layout.size())
        .context("no aligned block")?;
    let mut at = 0;
    repeat(args, BATCH, || {
        at = (at + 1) % BLOCKS;
        file.read_exact_at(block, at * BLOCK as u64)
            .context("cannot read")
    })
}

/// Takes memory page by page until there is no more.
pub(super) fn eat() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("no line")?;
    std::hint::black_box(vec![1_u8; FEAST]);
    Ok(())
}
