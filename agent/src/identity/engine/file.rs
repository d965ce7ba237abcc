//! Reading files that others write, some of them unprivileged users: a named pipe must not hold the
//! agent up, an endless file must not fill it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

/// The regular file at `path`, of at most `limit` bytes and, if given, of `owner`.
pub(super) fn open(path: &Path, limit: u64, owner: Option<u32>) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if owner.is_some_and(|owner| owner != metadata.uid()) {
        return Err(io::Error::other("belongs to another user"));
    }
    if metadata.len() > limit {
        return Err(io::Error::other("larger than any such file should be"));
    }
    Ok((file, metadata))
}

/// What [`open`] opens, read whole. A file that grows while it is read is cut at `limit`.
pub(super) fn read(path: &Path, limit: u64, owner: Option<u32>) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(path, limit, owner)?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Is there nothing at the path?
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_and_the_right_owner() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::write(&plain, b"{}").unwrap();
        let uid = std::fs::metadata(&plain).unwrap().uid();
        assert_eq!(read(&plain, 2, Some(uid)).unwrap(), b"{}");
        assert!(read(&plain, 1, None).is_err());
        assert!(read(&plain, 2, Some(uid + 1)).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        assert!(read(&link, 2, None).is_err());
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(read(&pipe, 2, None).is_err());
        assert!(is_missing(
            &read(&dir.path().join("none"), 2, None).unwrap_err()
        ));
    }
}
