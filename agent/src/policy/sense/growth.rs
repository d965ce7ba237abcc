//! How much anything on this host can have grown: what spares reading every workload at every look.
//!
//! A workload's memory grows by pages that are allocated, its tasks by forks, and the kernel counts
//! both for the whole host. As long as the host allocated less than what a workload lacks to its
//! threshold, the workload cannot have crossed it, however many there are.
//!
//! Blind spots: objects out of slabs that were there before, huge pages out of the pool, and tasks
//! that are moved in from another cgroup. Whoever asks looks once a second all the same.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Inode of the initial pid namespace (include/linux/proc_ns.h PROC_PID_INIT_INO, v6.12).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// The host's totals. `None`: unknown, anything may have grown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grown {
    /// Bytes of pages allocated since boot.
    pub(super) memory_bytes: Option<u64>,
    /// Tasks made since the first look, and pids skipped: never less.
    pub(super) tasks: Option<u64>,
}

/// Reads them.
#[derive(Debug)]
pub(super) struct Growth {
    vmstat: Option<File>,
    /// Only where pids of all the host are seen.
    loadavg: Option<File>,
    page_bytes: u64,
    most_pids: u64,
    last_pid: Option<u64>,
    tasks: u64,
}

impl Growth {
    pub(super) fn open() -> Self {
        let whole_host = std::fs::read_link("/proc/self/ns/pid")
            .is_ok_and(|link| link.as_os_str() == INITIAL_PID_NAMESPACE);
        let loadavg = whole_host.then(|| File::open("/proc/loadavg").ok());
        Self {
            vmstat: File::open("/proc/vmstat").ok(),
            loadavg: loadavg.flatten(),
            page_bytes: procfs::page_size(),
            // PID_MAX_LIMIT, the most that /proc/sys/kernel/pid_max may be.
            most_pids: 1 << 22,
            last_pid: None,
            tasks: 0,
        }
    }

    /// Looks at memory, at tasks, or both; some 30 µs and 2 µs.
    pub(super) fn look(&mut self, memory: bool, tasks: bool) -> Grown {
        let mut buffer = [0; 8192];
        let mut text = |file: &Option<File>| {
            let length = file.as_ref()?.read_at(&mut buffer, 0).ok()?;
            buffer.get(..length).map(<[u8]>::to_vec)
        };
        let vmstat = if memory { text(&self.vmstat) } else { None };
        let loadavg = if tasks { text(&self.loadavg) } else { None };
        let pages = vmstat.and_then(|text| allocated_pages(&text));
        let last = loadavg.and_then(|text| last_pid(&text));
        Grown {
            memory_bytes: pages.map(|pages| pages.saturating_mul(self.page_bytes)),
            tasks: last.map(|last| self.note(last)),
        }
    }

    /// Pids are handed out in a circle (kernel/pid.c alloc_pid(), v6.12).
    fn note(&mut self, last: u64) -> u64 {
        let before = self.last_pid.replace(last).unwrap_or(last);
        self.tasks += if last >= before {
            last - before
        } else {
            // The circle's end is pid_max, which may be changed at any time: at the most this.
            self.most_pids - before + last
        };
        self.tasks
    }
}

/// All `pgalloc_ZONE` lines of `/proc/vmstat`; `None` without any.
fn allocated_pages(text: &[u8]) -> Option<u64> {
    let mut sum = None;
    for line in text.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"pgalloc_") else {
            continue;
        };
        let value = rest.split(|byte| *byte == b' ').nth(1)?;
        let pages: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
        *sum.get_or_insert(0) += pages;
    }
    sum
}

/// The last word of `/proc/loadavg`.
fn last_pid(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    #[test]
    fn zones_are_summed() {
        let text =
            b"nr_free_pages 5\npgalloc_dma 7\npgalloc_normal 30\npgalloc_movable 0\npgfree 9\n";
        assert_eq!(allocated_pages(text), Some(37));
        assert_eq!(allocated_pages(b"nr_free_pages 5\n"), None);
        assert_eq!(last_pid(b"0.52 0.58 0.59 2/123 4567\n"), Some(4567));
        assert_eq!(last_pid(b"0.52 0.58"), None);
    }

    #[test]
    fn pids_that_start_again_still_count_up() {
        let mut growth = Growth::open();
        assert_eq!(growth.note(100), 0);
        assert_eq!(growth.note(130), 30);
        let round = growth.note(10);
        assert!(round >= 30 + 10, "{round}");
    }

    #[test]
    fn what_this_process_allocates_and_forks_is_seen() {
        const BYTES: usize = 8 << 20;
        let mut growth = Growth::open();
        let before = growth.look(true, true);
        // Not from the allocator: it may have pages left over from other tests.
        let file = memfd_create(c"growth", MFdFlags::MFD_CLOEXEC).unwrap();
        std::fs::File::from(file)
            .write_all(&vec![1; BYTES])
            .unwrap();
        std::process::Command::new("true").status().unwrap();
        let after = growth.look(true, true);
        let grown = after.memory_bytes.unwrap() - before.memory_bytes.unwrap();
        assert!(grown >= BYTES as u64, "{grown}");
        if let (Some(before), Some(after)) = (before.tasks, after.tasks) {
            assert!(after > before);
        }
    }
}
