//! Small files of the store: JSON, replaced whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// `None`: there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(io::Error::other)
}

/// One that is not there yet, in a directory that is put in its place later.
pub(super) fn write_new(path: &Path, value: &impl Serialize) -> io::Result<()> {
    create(path)?.write_all(&serde_json::to_vec(value)?)
}

/// Replaces one; a reader finds the old or the new one, after a crash too. `temporary` is a directory of
/// the same file system that is cleared at the next start.
pub(super) fn replace(path: &Path, text: &[u8], temporary: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let half_written = temporary.join(format!("{name}~"));
    match fs::remove_file(&half_written) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = create(&half_written)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&half_written, path)
    })();
    if written.is_err() {
        // The first error says why.
        let _ = fs::remove_file(&half_written);
    }
    written?;
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn create(path: &Path) -> io::Result<File> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
