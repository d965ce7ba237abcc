//! The agent's own process, under the names every Prometheus client library uses.

use procfs::process::{LimitValue, Process};

use crate::metrics::exposition::Value;

/// What `/proc/self` says at the scrape. `None`: could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessReading {
    pub(crate) cpu: Option<Value>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) max_files: Option<u64>,
    /// Since the epoch.
    pub(crate) start: Option<Value>,
}

impl ProcessReading {
    /// Four small files of `/proc/self`.
    pub(crate) fn take() -> Self {
        let Ok(process) = Process::myself() else {
            return Self::default();
        };
        let stat = process.stat().ok();
        let stat = stat.as_ref();
        let limits = process.limits().ok();
        Self {
            cpu: stat.map(|stat| ticks(stat.utime.saturating_add(stat.stime))),
            resident_bytes: stat.map(|stat| stat.rss.saturating_mul(procfs::page_size())),
            virtual_bytes: stat.map(|stat| stat.vsize),
            threads: stat.and_then(|stat| u64::try_from(stat.num_threads).ok()),
            open_files: process.fd_count().ok().map(|count| count as u64),
            max_files: limits.and_then(|limits| match limits.max_open_files.soft_limit {
                LimitValue::Value(value) => Some(value),
                LimitValue::Unlimited => None,
            }),
            start: stat.and_then(|stat| start(stat.starttime)),
        }
    }
}

/// `clock_t` as seconds.
fn ticks(ticks: u64) -> Value {
    let tick_us = 1_000_000 / procfs::ticks_per_second().max(1);
    Value::microseconds(ticks.saturating_mul(tick_us))
}

/// `starttime` counts from boot.
fn start(since_boot: u64) -> Option<Value> {
    let boot_s = procfs::boot_time_secs().ok()?;
    let tick_us = 1_000_000 / procfs::ticks_per_second().max(1);
    let start_us = boot_s
        .saturating_mul(1_000_000)
        .saturating_add(since_boot.saturating_mul(tick_us));
    Some(Value::microseconds(start_us))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;

    #[test]
    fn agrees_with_proc_self() {
        let reading = ProcessReading::take();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let rss_kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap()
            .parse()
            .unwrap();
        // Other tests run beside this one: the same to within 64 MiB.
        let rss = reading.resident_bytes.unwrap();
        assert!(rss.abs_diff(rss_kib * 1024) < 64 << 20, "{rss}");
        assert!(reading.open_files.unwrap() >= 3);
        assert!(reading.threads.unwrap() >= 1);
        let Some(Value::Nanoseconds(start_ns)) = reading.start else {
            panic!("no start time")
        };
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        assert!(u128::from(start_ns) <= now + 1_000_000_000);
        assert!(u128::from(start_ns) + 86_400_000_000_000 > now);
    }
}
