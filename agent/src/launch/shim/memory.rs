//! Memory that a shim does without while it only waits.
//!
//! Most of what is resident of a shim is its executable, of which making a workload takes a good part and
//! waiting takes little. Pages that hold what the file holds are given back: they are there again when
//! they are touched.

use std::ffi::c_void;
use std::fs;
use std::ops::Range;

use nix::libc::{MADV_DONTNEED, madvise};

/// Gives back what can be had again. What the kernel does not take back stays, and works.
pub(super) fn shed() {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for range in unchanged(&maps) {
        let start = range.start as *mut c_void;
        // SAFETY: every page of it is as in its file and cannot be written through this mapping, so the
        // kernel reads the same bytes again.
        let _ = unsafe { madvise(start, range.end - range.start, MADV_DONTNEED) };
    }
    drop(maps);
    // SAFETY: it looks through the allocator's own lists.
    let _ = unsafe { nix::libc::malloc_trim(0) };
}

/// Private mappings of files that cannot be written and have no page of their own: what the dynamic linker
/// relocated has.
fn unchanged(smaps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(range) = header(line) {
            candidate = range;
        } else if let Some(size) = line.strip_prefix("Anonymous:")
            && let Some(range) = candidate.take()
            && size.trim() == "0 kB"
        {
            found.push(range);
        }
    }
    found
}

/// `None`: no mapping begins with this line. `Some(None)`: one that is to stay.
fn header(line: &str) -> Option<Option<Range<usize>>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    let permissions = fields.next()?;
    let is_file = fields.nth(2).is_some_and(|inode| inode != "0");
    let is_given = matches!(permissions, "r-xp" | "r--p") && is_file;
    Some(is_given.then_some(range))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SMAPS: &str = "\
00400000-00500000 r-xp 00000000 00:2a 77                     /usr/bin/plimsoll
Size:               1024 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00500000-00501000 r--p 00100000 00:2a 77                     /usr/bin/plimsoll
Anonymous:             4 kB
00501000-00502000 rw-p 00101000 00:2a 77                     /usr/bin/plimsoll
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 08:01 5              /lib/x y.so
Anonymous:             0 kB
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0              [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_unchanged_pages_of_files_are_given_back() {
        let ranges = unchanged(SMAPS);
        assert_eq!(
            ranges,
            [0x0040_0000..0x0050_0000, 0x7f00_0000_1000..0x7f00_0000_2000]
        );
    }

    #[test]
    fn it_goes_on_as_before() {
        let before = fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(!unchanged(&before).is_empty());
        shed();
        assert_eq!(format!("{}", 40 + 2), "42");
    }
}
