//! Settings that are each fine and together kill.

use std::path::Path;

use super::site::Site;
use super::{Control, Knob, Setting, io};
use crate::cgroup::{Controller, DeviceNumber};

/// A cap on writes with too little memory for what waits behind it. Pages that are being written
/// cannot be reclaimed, the kernel does not wait for a capped disk long enough, and when it finds
/// nothing else to reclaim it kills (mm/vmscan.c shrink_folio_list(), mm/memcontrol.c
/// try_charge_memcg(), v6.12). Nothing of it is exact; measured with `dd` on ext4, kernel 6.12, in
/// guests with one and two CPUs, killed within seconds (MiB, MiB/s): 16 with 16, 32 with 4, 64 with
/// 1, 128 with 1/16; lived: 16 with 64, 32 with 16, 64 with 4, 128 with 1, 256 with 1/16. That is a
/// line of memory² × rate. Linux 6.1 killed nobody there, 7.3 seldom.
const LEAST: u128 = 16_384 << 60;

impl Control {
    /// Whether this, with what is in force already or is `coming`, would get a workload killed that
    /// writes files the usual way; the reason if so. Direct writes do not count.
    #[must_use]
    pub fn hazard(&self, setting: &Setting, coming: &[Setting]) -> Option<String> {
        let io = self.routes.to(Controller::Io, Knob::IoWeight.name()).ok()?;
        let memory = self.memory(Knob::MemoryMax.name()).ok()?;
        // Elsewhere buffered writes are not capped.
        if !io.is_unified() || !memory.is_unified() {
            return None;
        }
        match setting {
            Setting::IoMax(device, caps) => {
                let coming = coming.iter().filter_map(|one| match one {
                    Setting::MemoryMax(limit) => *limit,
                    _ => None,
                });
                let in_force = limits(memory).chain(above_limits(memory));
                reason(*device, caps.wbps?, in_force.chain(coming).min()?)
            }
            Setting::MemoryMax(limit) => {
                let limit = (*limit).into_iter().chain(above_limits(memory)).min()?;
                let coming = coming.iter().filter_map(|one| match one {
                    Setting::IoMax(device, caps) => Some((caps.wbps?, *device)),
                    _ => None,
                });
                let (rate, device) = write_caps(io).into_iter().chain(coming).min()?;
                reason(device, rate, limit)
            }
            _ => None,
        }
    }
}

/// Bytes of `memory.max` that are enough where writes are capped at so many bytes a second, on v2; in
/// whole MiB. More is never needed where it is less.
#[must_use]
pub fn memory_for_writes(bytes_per_second: u64) -> u64 {
    let needed = (LEAST / u128::from(bytes_per_second.max(1))).isqrt();
    // At most 2^37: LEAST is 2^74.
    u64::try_from(needed.div_ceil(1 << 20) << 20).unwrap_or(u64::MAX)
}

fn reason(device: DeviceNumber, rate: u64, limit: u64) -> Option<String> {
    let (wide_rate, wide_limit) = (u128::from(rate), u128::from(limit));
    if wide_rate
        .saturating_mul(wide_limit)
        .saturating_mul(wide_limit)
        >= LEAST
    {
        return None;
    }
    let needed = memory_for_writes(rate) >> 20;
    Some(format!(
        "writes to disk {}:{} are capped at {rate} bytes a second and memory at {limit} bytes: what \
         waits to be written cannot be reclaimed, and the kernel kills when it finds nothing else; \
         with this cap, {needed} MiB are enough",
        device.major, device.minor
    ))
}

fn limits(site: &Site) -> impl Iterator<Item = u64> {
    limit_of(site.directory()).into_iter()
}

fn above_limits(site: &Site) -> impl Iterator<Item = u64> {
    site.above().filter_map(limit_of)
}

/// `None`: unlimited, or the root.
fn limit_of(directory: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(directory.join("memory.max")).ok()?;
    text.trim().parse().ok()
}

/// Caps on writes, of the cgroup and of those above it.
fn write_caps(site: &Site) -> Vec<(u64, DeviceNumber)> {
    let directories = std::iter::once(site.directory()).chain(site.above());
    let texts =
        directories.filter_map(|directory| std::fs::read_to_string(directory.join("io.max")).ok());
    let caps = |text: String| {
        let caps = text.lines().filter_map(io::write_cap);
        caps.collect::<Vec<_>>()
    };
    texts.flat_map(caps).collect()
}
