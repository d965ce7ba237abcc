//! Writing an initramfs: cpio archives of the `newc` kind, uncompressed, because the guest's
//! emulated CPU takes longer to unpack than to copy. The kernel takes several, one after another.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;
const TRAILER: &str = "TRAILER!!!";
/// Everything in the archive starts at a multiple of this.
const ALIGNMENT: usize = 4;

/// An archive under way; parent folders come by themselves.
pub(super) struct Archive<W: Write> {
    out: W,
    inode: u32,
    folders: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            folders: BTreeSet::new(),
        }
    }

    /// Adds a folder, by absolute path in the guest.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        let name = relative(path);
        if name.is_empty() || !self.folders.insert(name.clone()) {
            return Ok(());
        }
        self.parents(path)?;
        self.entry(&name, DIRECTORY, &[])
    }

    /// Adds a file that may be executed.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.parents(path)?;
        self.entry(&relative(path), PROGRAM, content)
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.parents(path)?;
        self.entry(&relative(path), SYMLINK, target.as_bytes())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        match Path::new(path).parent().and_then(Path::to_str) {
            Some(parent) => self.folder(parent),
            None => Ok(()),
        }
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len())
            .map_err(|_| io::Error::other(format!("{name} is over 4 GiB")))?;
        // magic, inode, mode, uid, gid, links, mtime, size, 4 × device numbers, name size, checksum
        let header = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name.len() as u32 + 1,
            0,
        ];
        write!(self.out, "070701")?;
        for field in header {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(name.as_bytes())?;
        let head = 6 + 13 * 8 + name.len();
        self.pad(head, 1)?;
        self.out.write_all(content)?;
        self.pad(content.len(), 0)
    }

    /// At least `least` NULs, up to the next boundary.
    fn pad(&mut self, written: usize, least: usize) -> io::Result<()> {
        let count = (written + least).next_multiple_of(ALIGNMENT) - written;
        self.out.write_all(&[0; ALIGNMENT + 1][..count])
    }
}

fn relative(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_aligned_and_parents_come_first() {
        let mut archive = Archive::new(Vec::new());
        archive.file("/a/b/program", b"12345").unwrap();
        archive.link("/a/link", "b/program").unwrap();
        archive.folder("/a/b").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % ALIGNMENT, 0);
        let names: Vec<_> = (0..bytes.len())
            .step_by(ALIGNMENT)
            .filter(|&at| bytes[at..].starts_with(b"070701"))
            .map(|at| {
                let name = &bytes[at + 110..];
                let end = name.iter().position(|byte| *byte == 0).unwrap();
                String::from_utf8(name[..end].to_vec()).unwrap()
            })
            .collect();
        assert_eq!(names, ["a", "a/b", "a/b/program", "a/link", TRAILER]);
    }
}
