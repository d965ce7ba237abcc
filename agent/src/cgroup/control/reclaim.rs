//! Taking back memory that a workload can do without.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::site::Site;
use super::{Control, ControlError, Knob, NotEnforceable, Setting, memory};
use crate::cgroup::{Controller, parse};

/// Asked for at once: small enough that the kernel answers within milliseconds.
const CHUNK: u64 = 4 << 20;

impl Control {
    /// Bytes in use, descendants included.
    ///
    /// # Errors
    /// No memory controller, or gone.
    pub fn memory_usage(&self) -> Result<u64, ControlError> {
        memory::usage(self.memory("memory.current")?)
    }

    /// What [`reclaim`](Self::reclaim) changes for moments, as it is now; empty where the kernel
    /// needs no such means.
    ///
    /// # Errors
    /// As [`reclaim`](Self::reclaim).
    pub fn before_reclaim(&self) -> Result<Vec<Setting>, ControlError> {
        let site = self.memory("memory.reclaim")?;
        Ok(match means(site)? {
            Means::Reclaim => Vec::new(),
            Means::High => vec![self.read(Knob::MemoryHigh)?],
            Means::V1Limit => vec![self.read(Knob::MemoryMax)?],
        })
    }

    /// Takes back up to so many bytes, for at most that long; returns how many it were, 0 when the
    /// kernel finds nothing to take. By `memory.reclaim` (5.19 and newer); before that by lowering
    /// `memory.high`, on v1 the limit, a little below what is in use and raising it again at once.
    ///
    /// # Errors
    /// No memory controller, or gone.
    pub fn reclaim(&self, bytes: u64, at_most: Duration) -> Result<u64, ControlError> {
        let site = self.memory("memory.reclaim")?;
        let means = means(site)?;
        let start = Instant::now();
        let mut taken = 0;
        while taken < bytes && start.elapsed() < at_most {
            let chunk = (bytes - taken).min(CHUNK);
            let got = match means {
                Means::Reclaim => by_reclaim(site, chunk)?,
                Means::High => by_high(site, chunk)?,
                Means::V1Limit => by_v1_limit(site, chunk)?,
            };
            taken += got;
            // Short of what was asked: there is nothing more to take, or not without long waits.
            if got < chunk / 2 {
                break;
            }
        }
        Ok(taken)
    }

    pub(super) fn memory(&self, what: &'static str) -> Result<&Site, NotEnforceable> {
        self.routes.to(Controller::Memory, what)
    }
}

/// How this kernel takes memory back.
#[derive(Clone, Copy)]
enum Means {
    Reclaim,
    High,
    V1Limit,
}

fn means(site: &Site) -> Result<Means, ControlError> {
    Ok(if !site.is_unified() {
        Means::V1Limit
    } else if site.has("memory.reclaim")? {
        Means::Reclaim
    } else {
        Means::High
    })
}

/// Asks the kernel for the bytes; what it took, which may be less.
fn by_reclaim(site: &Site, bytes: u64) -> Result<u64, ControlError> {
    let before = stolen(site)?;
    match site.write("memory.reclaim", &bytes.to_string()) {
        Ok(()) => {}
        // It took what there was, less than asked (mm/vmscan.c user_proactive_reclaim(), v6.18).
        Err(ControlError::Write { source, .. }) if is(&source, Errno::EAGAIN) => {}
        Err(error) => return Err(error),
    }
    Ok(stolen(site)?.saturating_sub(before))
}

/// Bytes taken back from the cgroup so far, by whomever.
fn stolen(site: &Site) -> Result<u64, ControlError> {
    let stat = site.read("memory.stat")?;
    let pages = parse::field(stat.as_bytes(), b"pgsteal").unwrap_or(0);
    Ok(pages * memory::page_bytes())
}

/// The kernel reclaims on the time of whoever lowers `memory.high`, before the write returns
/// (mm/memcontrol.c memory_high_write(), v5.10).
fn by_high(site: &Site, bytes: u64) -> Result<u64, ControlError> {
    let before = stolen(site)?;
    let high = site.limit("memory.high")?;
    let target = memory::usage(site)?.saturating_sub(bytes);
    let lowered = site.write("memory.high", &target.to_string());
    site.write("memory.high", &Setting::MemoryHigh(high).value())?;
    lowered?;
    Ok(stolen(site)?.saturating_sub(before))
}

/// The limit is in force only once the kernel has reclaimed down to it (mm/memcontrol-v1.c
/// mem_cgroup_resize_max(), v6.12), and is raised again at once: nobody runs into it.
fn by_v1_limit(site: &Site, bytes: u64) -> Result<u64, ControlError> {
    let limit = memory::read_max(site)?;
    let before = memory::usage(site)?;
    let target = memory::whole_pages(before.saturating_sub(bytes));
    let lowered = memory::v1_write_limit(site, Some(target));
    memory::v1_write_limit(site, limit)?;
    match lowered {
        Ok(()) | Err(ControlError::BelowUsage { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(before.saturating_sub(memory::usage(site)?))
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}
