//! The guest's scratch disk: an empty sparse file with a partition table.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};

const SECTOR: u64 = 512;
const SECTORS: u64 = (64 << 20) / SECTOR;
/// Where partitioning tools start, too.
const FIRST: u32 = 2048;
const LINUX: u8 = 0x83;

/// Makes a disk of 64 MiB with one partition over all of it but the first MiB.
pub(super) fn make(path: &Path) -> Result<()> {
    let mut disk =
        File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    disk.set_len(SECTORS * SECTOR)?;
    disk.write_all(&master_boot_record())?;
    disk.seek(SeekFrom::Start(0))?;
    Ok(())
}

fn master_boot_record() -> [u8; SECTOR as usize] {
    let mut record = [0; SECTOR as usize];
    let entry = &mut record[446..462];
    entry[4] = LINUX;
    entry[8..12].copy_from_slice(&FIRST.to_le_bytes());
    let length = SECTORS as u32 - FIRST;
    entry[12..16].copy_from_slice(&length.to_le_bytes());
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    record
}
