//! The file that is written: opened, mended, appended to, rotated.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::line;
use crate::config::AuditConfig;

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot make the directory {path}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("{path} is not a regular file")]
    NotRegular { path: PathBuf },
    #[error("cannot mend the end of {path}")]
    Mend { path: PathBuf, source: io::Error },
    #[error("cannot rename {path}")]
    Rotate { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
}

/// The file at a path, whatever becomes of that path meanwhile.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    max_bytes: u64,
    files: u32,
    open: Option<File>,
}

impl LogFile {
    /// Opens nothing yet.
    pub(super) fn new(config: &AuditConfig) -> Self {
        Self {
            path: config.path.clone(),
            max_bytes: config.max_bytes,
            files: config.files,
            open: None,
        }
    }

    /// Opens the file, unless the one that is open is still the one at the path: logrotate may have
    /// moved or removed it.
    pub(super) fn open(&mut self) -> Result<&mut File, FileError> {
        let current = fs::symlink_metadata(&self.path).ok();
        let open = self.open.take().filter(|open| {
            let metadata = open.metadata().ok();
            current.as_ref().map(identity) == metadata.as_ref().map(identity)
        });
        let open = match open {
            Some(open) => open,
            None => begin(&self.path)?,
        };
        Ok(self.open.insert(open))
    }

    /// Appends whole lines, and returns when they are on the disk. After an error none of them is
    /// in the file.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let max_bytes = self.max_bytes;
        let mut length = length(self.open()?);
        if length > 0 && length.saturating_add(lines.len() as u64) > max_bytes {
            self.rotate()?;
            length = 0;
        }
        let file = self.open()?;
        let written = file.write_all(lines).and_then(|()| file.sync_data());
        let Err(source) = written else {
            return Ok(());
        };
        // A full disk takes a part of it. If this fails too, the next opening mends it.
        let _ = file.set_len(length);
        self.open = None;
        Err(FileError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// The written file becomes `.1`, that `.2`, and so on; the last one goes.
    fn rotate(&mut self) -> Result<(), FileError> {
        self.open = None;
        let rename = |from: &Path, to: &Path| match fs::rename(from, to) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| FileError::Rotate {
                path: from.to_owned(),
                source,
            }),
        };
        if self.files == 1 {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::Rotate {
                    path: self.path.clone(),
                    source: error,
                }),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        // The last one is replaced by the rename to it.
        for number in (1..self.files.saturating_sub(1)).rev() {
            rename(
                &rotated(&self.path, number),
                &rotated(&self.path, number + 1),
            )?;
        }
        rename(&self.path, &rotated(&self.path, 1))
    }
}

/// Where the `number`th file before the current one is.
pub(super) fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Which file it is, under whatever name.
pub(super) fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn length(file: &File) -> u64 {
    // `fstat` of an open regular file does not fail.
    file.metadata().map_or(0, |metadata| metadata.len())
}

fn begin(path: &Path) -> Result<File, FileError> {
    if let Some(directory) = path.parent() {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory);
        made.map_err(|source| FileError::Directory {
            path: directory.to_owned(),
            source,
        })?;
    }
    let opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        // Not through a link that somebody put there, and never waiting for a pipe's reader.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, mut file) = opened.map_err(|source| FileError::Open {
        path: path.to_owned(),
        source,
    })?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular {
            path: path.to_owned(),
        });
    }
    mend(&mut file, metadata.len()).map_err(|source| FileError::Mend {
        path: path.to_owned(),
        source,
    })?;
    Ok(file)
}

/// Whoever was killed while it wrote left a line without an end: it gets one if it is whole, and
/// goes otherwise.
fn mend(file: &mut File, length: u64) -> io::Result<()> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(());
    };
    let mut end = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut end)?;
    if end == *b"\n" {
        return Ok(());
    }
    let torn = last_line(file, length)?;
    // Text that is no line of ours belongs to somebody: never cut.
    if torn.starts_with(b"{\"") && line::parse(&torn).is_none() {
        tracing::warn!(
            bytes = torn.len(),
            "audit: a line that was torn by a crash is removed"
        );
        return file.set_len(length - torn.len() as u64);
    }
    file.write_all(b"\n")
}

/// What follows the last newline.
fn last_line(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    const STEP: u64 = 64 * 1024;
    let mut start = length;
    let mut tail = Vec::new();
    while start > 0 {
        let step = start.min(STEP);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut part = Vec::new();
        Read::by_ref(file).take(step).read_to_end(&mut part)?;
        let newline = part.iter().rposition(|byte| *byte == b'\n');
        part.drain(..newline.map_or(0, |at| at + 1));
        part.append(&mut tail);
        tail = part;
        if newline.is_some() {
            break;
        }
    }
    Ok(tail)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
