//! A layer's archive, written while it is read: compressed as it came, or by us.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::ImageError;
use super::compression::Compression;

/// Fast: it is to save disk, not to be sent.
const ZSTD_LEVEL: i32 = 1;

/// A file that gets what is read through [`Tee`].
pub(super) struct Kept {
    path: PathBuf,
    out: RefCell<Out>,
    /// Why it could not be written: whoever reads sees only that reading failed.
    failed: RefCell<Option<io::Error>>,
}

enum Out {
    AsItIs(File),
    Compressed(zstd::Encoder<'static, File>),
}

impl Kept {
    pub(super) fn create(path: &Path, compression: Compression) -> Result<Self, ImageError> {
        let out = File::create_new(path).and_then(|file| match compression {
            Compression::None => zstd::Encoder::new(file, ZSTD_LEVEL).map(Out::Compressed),
            Compression::Gzip | Compression::Zstd => Ok(Out::AsItIs(file)),
        });
        let out = out.map_err(|source| ImageError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            out: RefCell::new(out),
            failed: RefCell::new(None),
        })
    }

    /// For the stream as it came: kept, if that was compressed.
    pub(super) fn of_compressed<R: Read>(&self, inner: R) -> Tee<'_, R> {
        let wanted = matches!(*self.out.borrow(), Out::AsItIs(_));
        Tee {
            inner,
            kept: wanted.then_some(self),
        }
    }

    /// For the stream uncompressed: kept, if it came so.
    pub(super) fn of_plain<R: Read>(&self, inner: R) -> Tee<'_, R> {
        let wanted = matches!(*self.out.borrow(), Out::Compressed(_));
        Tee {
            inner,
            kept: wanted.then_some(self),
        }
    }

    /// Completes the file. What came of the reading comes back, unless it is because of the file.
    pub(super) fn finish<T>(self, read: Result<T, ImageError>) -> Result<T, ImageError> {
        let Self { path, out, failed } = self;
        let failed = failed.into_inner();
        let written = failed.map_or_else(
            || match out.into_inner() {
                Out::Compressed(encoder) if read.is_ok() => encoder.finish().map(|_| ()),
                Out::Compressed(_) | Out::AsItIs(_) => Ok(()),
            },
            Err,
        );
        written.map_err(|source| ImageError::Io { path, source })?;
        read
    }
}

/// Reads, and writes what it reads.
pub(super) struct Tee<'a, R> {
    inner: R,
    kept: Option<&'a Kept>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let Some(kept) = self.kept else {
            return Ok(read);
        };
        let data = buffer.get(..read).unwrap_or_default();
        let written = match &mut *kept.out.borrow_mut() {
            Out::AsItIs(file) => file.write_all(data),
            Out::Compressed(encoder) => encoder.write_all(data),
        };
        written.map_err(|error| {
            let kind = error.kind();
            kept.failed.replace(Some(error));
            io::Error::from(kind)
        })?;
        Ok(read)
    }
}
