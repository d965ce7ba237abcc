//! `--init`: what reaps and passes signals on as a container's first process.
//!
//! It runs in the container's root filesystem, where no library need be: so it has to be linked
//! statically, which this program is not everywhere. Docker's and podman's are.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::unsupported;
use super::{ResolvedMount, SpecError};

/// Where distributions have them: tini as docker ships it, tini, catatonit.
const CANDIDATES: [&str; 6] = [
    "/usr/libexec/docker/docker-init",
    "/usr/bin/docker-init",
    "/usr/local/bin/docker-init",
    "/usr/bin/tini-static",
    "/usr/bin/catatonit",
    "/usr/libexec/podman/catatonit",
];
/// Docker's name for it, in the container.
const TARGET: &str = "/sbin/docker-init";
/// Enough for any program's header and segments.
const HEAD: u64 = 4_096;
/// Segment that names the dynamic linker (include/uapi/linux/elf.h).
const PT_INTERP: u32 = 3;

/// The first that can be used, and the words before the container's command.
pub(super) fn find() -> Result<(ResolvedMount, [&'static str; 2]), SpecError> {
    let found = CANDIDATES
        .iter()
        .map(Path::new)
        .find(|path| is_static(path));
    let Some(source) = found else {
        return unsupported(
            "--init",
            format!(
                "no statically linked init is installed ({})",
                CANDIDATES.join(", ")
            ),
        );
    };
    let mount = ResolvedMount {
        source: source.to_owned(),
        target: TARGET.into(),
        options: vec!["bind".to_owned(), "ro".to_owned()],
    };
    Ok((mount, [TARGET, "--"]))
}

fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && needs_no_linker(&head).unwrap_or(false)
}

/// Is it a 64-bit program without a dynamic linker? `None`: the file is cut off.
fn needs_no_linker(head: &[u8]) -> Option<bool> {
    const CLASS_64: u8 = 2;
    if !head.starts_with(b"\x7fELF") || *head.get(4)? != CLASS_64 {
        return Some(false);
    }
    // Elf64_Ehdr: e_phoff, e_phentsize, e_phnum.
    let start = usize::try_from(u64::from_ne_bytes(head.get(0x20..0x28)?.try_into().ok()?)).ok()?;
    let size = usize::from(u16::from_ne_bytes(head.get(0x36..0x38)?.try_into().ok()?));
    let count = usize::from(u16::from_ne_bytes(head.get(0x38..0x3a)?.try_into().ok()?));
    for number in 0..count {
        let at = start.checked_add(number.checked_mul(size)?)?;
        let kind = head.get(at..at.checked_add(4)?)?;
        if u32::from_ne_bytes(kind.try_into().ok()?) == PT_INTERP {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_linked_program_is_told_from_a_static_one() {
        let own = std::env::current_exe().unwrap();
        assert!(!is_static(&own), "a test needs the C library");
        assert!(!is_static(Path::new("/etc/passwd")));
        assert!(!is_static(Path::new("/nonesuch")));
        // One segment, PT_LOAD, right after the header.
        let mut head = vec![0; 0x40 + 0x38];
        head[..5].copy_from_slice(b"\x7fELF\x02");
        head[0x20..0x28].copy_from_slice(&0x40_u64.to_ne_bytes());
        head[0x36..0x38].copy_from_slice(&0x38_u16.to_ne_bytes());
        head[0x38..0x3a].copy_from_slice(&1_u16.to_ne_bytes());
        head[0x40..0x44].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(needs_no_linker(&head), Some(true));
        head[0x40..0x44].copy_from_slice(&PT_INTERP.to_ne_bytes());
        assert_eq!(needs_no_linker(&head), Some(false));
        assert_eq!(needs_no_linker(&head[..0x40]), None);
    }
}
