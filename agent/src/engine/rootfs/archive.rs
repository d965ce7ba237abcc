//! Tar archives as they come from outside: read as a stream, with bounds on what is kept in memory.
//!
//! `tar` takes the stream apart. What it reads between two entries is metered and kept here: it reads
//! whole extended headers into memory, however long, and splits them at line feeds, which are in the
//! values of extended attributes too (tar 0.4.46, `PaxExtensions`).

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::rc::Rc;

use rustix::fs::Timespec;

use super::pax;

/// How much may precede one entry: its long names, its extended attributes. Linux bounds an inode's
/// attributes to 64 KiB of names and 64 KiB for each value.
const MOST_METADATA: u64 = 1 << 20;
const BLOCK: u64 = 512;

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("cannot read the archive")]
    Read { source: io::Error },
    #[error("this is no tar archive, or a damaged one")]
    NoHeader,
    #[error("refused: {name:?} in the archive {reason}")]
    Refused { name: String, reason: &'static str },
    #[error("cannot unpack {name:?}")]
    Unpack { name: String, source: io::Error },
}

impl ArchiveError {
    fn of(source: io::Error) -> Self {
        // The reader's words for a header that is none have the header's bytes in them.
        let text = source.to_string();
        if text.contains("cksum") || text.contains("checksum") {
            return Self::NoHeader;
        }
        Self::Read { source }
    }
}

/// What an entry is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    /// A file with holes, which read as zeros.
    Sparse,
    Directory,
    Symlink,
    Hardlink,
    Fifo,
    Char {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
}

/// Whose it is, who may, since when, and what else is attached to it.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    /// With set-user-id, set-group-id and sticky bits; no type.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Timespec,
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

/// One member of an archive.
pub(crate) struct Entry<'a> {
    /// As the archive has it: it may lead anywhere.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Where a link points; empty for others.
    pub(crate) link: Vec<u8>,
    pub(crate) attributes: Attributes,
    pub(crate) size: u64,
    pub(crate) content: &'a mut dyn Read,
}

impl Entry<'_> {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    pub(crate) fn refused(&self, reason: &'static str) -> ArchiveError {
        let name = self.name();
        ArchiveError::Refused { name, reason }
    }
}

/// Calls `each` for all members in order. What it leaves of a member's content is skipped.
///
/// # Errors
/// The archive cannot be read or is malformed, or whatever `each` says.
pub(crate) fn read<E: From<ArchiveError>>(
    reader: impl Read,
    mut each: impl FnMut(&mut Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let unread = |source| E::from(ArchiveError::of(source));
    let meter = Rc::new(Meter::default());
    let mut archive = tar::Archive::new(Metered {
        inner: reader,
        meter: Rc::clone(&meter),
    });
    let mut entries = archive.entries().map_err(unread)?;
    loop {
        let metadata_at = meter.begin_metadata();
        let next = entries.next();
        let metadata = meter.end_metadata();
        let Some(entry) = next else { return Ok(()) };
        let mut entry = entry.map_err(unread)?;
        if entry.header().entry_type().is_pax_global_extensions() {
            drain(&mut entry).map_err(unread)?;
            continue;
        }
        let metadata = metadata.get(metadata_at..).unwrap_or_default();
        let records = records(metadata).map_err(unread)?;
        let mut parsed = parse(&mut entry, &records)?;
        each(&mut parsed)?;
        drain(&mut entry).map_err(unread)?;
    }
}

fn parse<'a, R: Read>(
    entry: &'a mut tar::Entry<'_, R>,
    records: &[pax::Record<'_>],
) -> Result<Entry<'a>, ArchiveError> {
    let value = |key: &[u8]| {
        let record = records.iter().rev().find(|record| record.key == key);
        record.map(|record| record.value)
    };
    let path = value(b"path").map_or_else(|| entry.path_bytes().into_owned(), <[u8]>::to_vec);
    let refused = |reason| ArchiveError::Refused {
        name: String::from_utf8_lossy(&path).into_owned(),
        reason,
    };
    let malformed = |_: io::Error| refused("has a malformed header");
    if records.iter().any(|r| r.key.starts_with(b"GNU.sparse.")) {
        return Err(refused("has holes in a form that is not supported"));
    }
    let size = entry.size();
    // Whoever reads another size than `tar` does sees other members in the same archive.
    if value(b"size").is_some_and(|text| pax::number(text) != Some(size)) {
        return Err(refused("has two sizes"));
    }
    let header = entry.header();
    let old = header.as_old();
    // An empty field is 0, as for Go's reader: some writers leave out what they do not know.
    let or_empty = |field: &[u8], number: io::Result<u64>| {
        if field.iter().all(|byte| matches!(byte, 0 | b' ')) {
            Ok(0)
        } else {
            number.map_err(malformed)
        }
    };
    let device = || -> io::Result<(u32, u32)> {
        let (major, minor) = (header.device_major()?, header.device_minor()?);
        Ok((major.unwrap_or(0), minor.unwrap_or(0)))
    };
    let kind = match header.entry_type() {
        // Before POSIX a directory was a file whose name ends so.
        tar::EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
        tar::EntryType::Regular | tar::EntryType::Continuous => Kind::File,
        tar::EntryType::GNUSparse => Kind::Sparse,
        tar::EntryType::Directory => Kind::Directory,
        tar::EntryType::Symlink => Kind::Symlink,
        tar::EntryType::Link => Kind::Hardlink,
        tar::EntryType::Fifo => Kind::Fifo,
        tar::EntryType::Char => {
            let (major, minor) = device().map_err(malformed)?;
            Kind::Char { major, minor }
        }
        tar::EntryType::Block => {
            let (major, minor) = device().map_err(malformed)?;
            Kind::Block { major, minor }
        }
        _ => return Err(refused("is of a kind that no file system has")),
    };
    let owner = |key: &[u8], field: &[u8], number: io::Result<u64>| {
        let id = match value(key) {
            Some(text) => pax::number(text),
            None => Some(or_empty(field, number)?),
        };
        // The last one means "leave as it is" to chown(2).
        let id = id.and_then(|id| u32::try_from(id).ok());
        id.filter(|id| *id != u32::MAX)
            .ok_or_else(|| refused("belongs to nobody that can be"))
    };
    let mtime = match value(b"mtime") {
        Some(text) => pax::time(text).ok_or_else(|| refused("has a malformed time"))?,
        None => Timespec {
            tv_sec: i64::try_from(or_empty(&old.mtime, header.mtime())?).unwrap_or(0),
            tv_nsec: 0,
        },
    };
    let mode = or_empty(&old.mode, header.mode().map(u64::from))?;
    let attributes = Attributes {
        mode: u32::try_from(mode & 0o7777).unwrap_or(0),
        uid: owner(b"uid", &old.uid, header.uid())?,
        gid: owner(b"gid", &old.gid, header.gid())?,
        mtime,
        xattrs: pax::xattrs(records).ok_or_else(|| refused("has a malformed attribute"))?,
    };
    let link = match value(b"linkpath") {
        Some(link) => link.to_vec(),
        None => entry.link_name_bytes().unwrap_or_default().into_owned(),
    };
    Ok(Entry {
        path,
        kind,
        link,
        attributes,
        size,
        content: entry,
    })
}

/// The extended header among what was read before an entry: headers, each with its content.
fn records(metadata: &[u8]) -> io::Result<Vec<pax::Record<'_>>> {
    let mut rest = metadata;
    while let Some((block, after)) = rest.split_at_checked(BLOCK as usize) {
        let header = tar::Header::from_byte_slice(block);
        let kind = header.entry_type();
        let is_prefix = kind.is_gnu_longname() || kind.is_gnu_longlink();
        if !is_prefix && !kind.is_pax_local_extensions() {
            break;
        }
        let size = usize::try_from(header.entry_size()?).map_err(io::Error::other)?;
        if kind.is_pax_local_extensions() {
            let text = after.get(..size).unwrap_or_default();
            return pax::parse(text)
                .ok_or_else(|| io::Error::other("an extended header is malformed"));
        }
        rest = after
            .get(size.next_multiple_of(BLOCK as usize)..)
            .unwrap_or_default();
    }
    Ok(Vec::new())
}

/// Reads to the end, for what is counted or hashed on the way.
pub(crate) fn drain(reader: &mut dyn Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(|_| ())
}

#[derive(Default)]
struct Meter {
    /// Between two entries.
    in_metadata: Cell<bool>,
    position: Cell<u64>,
    /// Where the padding of the entry before ends.
    padded: Cell<u64>,
    metadata: RefCell<Vec<u8>>,
}

impl Meter {
    /// How much of what comes pads the entry before.
    fn begin_metadata(&self) -> usize {
        self.in_metadata.set(true);
        self.padded.set(self.position.get().next_multiple_of(BLOCK));
        let padding = self.padded.get() - self.position.get();
        usize::try_from(padding).unwrap_or(0)
    }

    fn end_metadata(&self) -> Vec<u8> {
        self.in_metadata.set(false);
        self.metadata.take()
    }
}

struct Metered<R> {
    inner: R,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = self.inner.read(buffer)?;
        if read == 0 && self.meter.in_metadata.get() {
            // The last entry may be without its padding: umoci writes that, Go reads it.
            let missing = self
                .meter
                .padded
                .get()
                .saturating_sub(self.meter.position.get());
            read = usize::try_from(missing).unwrap_or(0).min(buffer.len());
            buffer.iter_mut().take(read).for_each(|byte| *byte = 0);
        }
        let position = self.meter.position.get().saturating_add(read as u64);
        self.meter.position.set(position);
        if self.meter.in_metadata.get() {
            let mut metadata = self.meter.metadata.borrow_mut();
            if (metadata.len() + read) as u64 > MOST_METADATA {
                return Err(io::Error::other(
                    "more than 1 MiB of names and attributes for one entry",
                ));
            }
            metadata.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        Ok(read)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
