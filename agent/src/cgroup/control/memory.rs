//! Memory limits.

use std::io::Write;
use std::time::{Duration, Instant};

use cgroups_rs::fs::memory::MemController;
use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};

use super::site::Site;
use super::slow::Slow;
use super::{ControlError, NotEnforceable, Setting};

pub(super) const V1_COUNTS_SWAP_WITH_MEMORY: &str = "cgroup v1 limits memory and swap together: \
     memory that a workload leaves unused may be used as swap";

const V1_LIMIT: &str = "memory.limit_in_bytes";
const V1_BOTH: &str = "memory.memsw.limit_in_bytes";

/// Between looks whether a write that reclaims has done the first half: the value is in force before
/// the kernel begins to reclaim (mm/memcontrol.c memory_high_write(), memory_max_write(), v6.12).
const LOOK: Duration = Duration::from_millis(1);
/// A thread that does not even get to run.
const AT_MOST: Duration = Duration::from_secs(1);

/// The kernel counts whole pages and drops the rest (mm/page_counter.c page_counter_memparse(), v6.12).
pub(super) fn whole_pages(bytes: u64) -> u64 {
    bytes - bytes % page_bytes()
}

pub(super) fn page_bytes() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

/// v1's number for "unlimited": PAGE_COUNTER_MAX, in bytes.
fn v1_unlimited() -> u64 {
    whole_pages(i64::MAX.unsigned_abs())
}

/// Bytes in use, descendants included.
pub(super) fn usage(site: &Site) -> Result<u64, ControlError> {
    site.number(if site.is_unified() {
        "memory.current"
    } else {
        "memory.usage_in_bytes"
    })
}

pub(super) fn read_max(site: &Site) -> Result<Option<u64>, ControlError> {
    if site.is_unified() {
        site.limit("memory.max")
    } else {
        v1_read(site, V1_LIMIT)
    }
}

fn v1_read(site: &Site, file: &str) -> Result<Option<u64>, ControlError> {
    let bytes = site.number(file)?;
    Ok((bytes != v1_unlimited()).then_some(bytes))
}

/// On v1, swap beyond the memory limit; `None`: unlimited.
pub(super) fn read_swap_max(site: &Site) -> Result<Option<u64>, ControlError> {
    if site.is_unified() {
        return site.limit("memory.swap.max");
    }
    let both = v1_read(site, V1_BOTH)?;
    let memory = v1_read(site, V1_LIMIT)?;
    Ok(both.map(|both| both.saturating_sub(memory.unwrap_or(both))))
}

/// What setting the limit changes besides: the swap allowance on v1, and memory.high on v2 where
/// the way down leads over it.
pub(super) fn changed_by_max(
    site: &Site,
    wanted: Option<u64>,
) -> Result<Vec<Setting>, ControlError> {
    if site.is_unified() {
        let below = wanted.is_some_and(|wanted| usage(site).is_ok_and(|usage| usage > wanted));
        return Ok(if below {
            vec![Setting::MemoryHigh(site.limit("memory.high")?)]
        } else {
            Vec::new()
        });
    }
    if site.read_if_there(V1_BOTH)?.is_none() {
        return Ok(Vec::new());
    }
    let swap = read_swap_max(site)?;
    Ok(swap
        .map(|swap| Setting::MemorySwapMax(Some(swap)))
        .into_iter()
        .collect())
}

/// Refuses to go below what is in use.
pub(super) fn write_max(site: &Site, bytes: Option<u64>) -> Result<(), ControlError> {
    if let Some(wanted) = bytes {
        let usage = usage(site)?;
        if usage > wanted {
            return Err(ControlError::BelowUsage { usage, wanted });
        }
    }
    if site.is_unified() {
        reclaiming_write(site, "memory.max", bytes)
    } else {
        v1_write_max(site, bytes)
    }
}

pub(super) fn write_high(site: &Site, bytes: Option<u64>) -> Result<(), ControlError> {
    reclaiming_write(site, "memory.high", bytes)
}

fn reclaiming_write(site: &Site, name: &str, bytes: Option<u64>) -> Result<(), ControlError> {
    let value = Setting::MemoryMax(bytes).value();
    let mut file = site
        .open_to_write(name)
        .map_err(|source| site.unwritten(name, &value, source))?;
    let text = value.clone();
    let write = Slow::start(move || file.write_all(text.as_bytes()))?;
    let start = Instant::now();
    loop {
        match write.wait(LOOK) {
            Some(Err(source)) => return Err(site.unwritten(name, &value, source)),
            Some(Ok(())) => return Ok(()),
            None if site.read(name).is_ok_and(|text| text == value) => return Ok(()),
            None if start.elapsed() > AT_MOST => {
                let late = std::io::ErrorKind::TimedOut.into();
                return Err(site.unwritten(name, &value, late));
            }
            None => {}
        }
    }
}

/// Keeps the swap allowance: v1's second limit is for memory and swap together, and never below
/// the first.
pub(super) fn v1_write_max(site: &Site, bytes: Option<u64>) -> Result<(), ControlError> {
    let before = v1_read(site, V1_LIMIT)?;
    let both = match site.read_if_there(V1_BOTH)? {
        Some(_) => v1_read(site, V1_BOTH)?,
        None => None,
    };
    let Some(both) = both else {
        return v1_write(site, V1_LIMIT, bytes);
    };
    let swap = both.saturating_sub(before.unwrap_or(both));
    let new_both = bytes.map(|bytes| bytes.saturating_add(swap));
    let raises = match (before, bytes) {
        (Some(before), Some(bytes)) => bytes > before,
        _ => true,
    };
    let steps = if raises {
        [(V1_BOTH, new_both), (V1_LIMIT, bytes)]
    } else {
        [(V1_LIMIT, bytes), (V1_BOTH, new_both)]
    };
    let undo = if raises {
        (V1_BOTH, Some(both))
    } else {
        (V1_LIMIT, before)
    };
    let [(first, first_bytes), (second, second_bytes)] = steps;
    v1_write(site, first, first_bytes)?;
    v1_write(site, second, second_bytes).inspect_err(|_| {
        if let Err(error) = v1_write(site, undo.0, undo.1) {
            tracing::warn!(%error, "memory limit not put back");
        }
    })
}

pub(super) fn write_swap_max(site: &Site, bytes: Option<u64>) -> Result<(), ControlError> {
    if site.is_unified() {
        return site.write("memory.swap.max", &Setting::MemorySwapMax(bytes).value());
    }
    let both = match (bytes, v1_read(site, V1_LIMIT)?) {
        (None, _) => None,
        (Some(swap), Some(memory)) => Some(memory.saturating_add(swap)),
        (Some(_), None) => {
            return Err(NotEnforceable {
                what: "memory.swap.max",
                reason: "cgroup v1 limits memory and swap together, and memory is unlimited here"
                    .to_owned(),
            }
            .into());
        }
    };
    v1_write(site, V1_BOTH, both)
}

/// The first limit alone.
pub(super) fn v1_write_limit(site: &Site, bytes: Option<u64>) -> Result<(), ControlError> {
    v1_write(site, V1_LIMIT, bytes)
}

fn v1_write(site: &Site, file: &'static str, bytes: Option<u64>) -> Result<(), ControlError> {
    let bytes = bytes.unwrap_or_else(v1_unlimited).min(v1_unlimited());
    let number = i64::try_from(bytes).unwrap_or(i64::MAX);
    let written = site.through(file, &number.to_string(), |path| {
        let controller = MemController::new(path.clone(), path, false);
        if file == V1_LIMIT {
            controller.set_limit(number)
        } else {
            controller.set_memswap_limit(number)
        }
    });
    written.map_err(|error| below_usage(site, file, bytes, error))
}

/// The kernel says EBUSY when it could not reclaim down to the limit.
fn below_usage(site: &Site, file: &str, wanted: u64, error: ControlError) -> ControlError {
    let busy = matches!(&error, ControlError::Write { source, .. }
        if source.raw_os_error() == Some(Errno::EBUSY as i32));
    if !busy {
        return error;
    }
    let used = if file == V1_LIMIT {
        "memory.usage_in_bytes"
    } else {
        "memory.memsw.usage_in_bytes"
    };
    match site.number(used) {
        Ok(usage) => ControlError::BelowUsage { usage, wanted },
        Err(_) => error,
    }
}
