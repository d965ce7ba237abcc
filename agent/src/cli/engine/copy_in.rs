//! Files into a container.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;

use bytes::Bytes;
use hyper::Method;
use rustix::fs::fgetxattr;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::failure::{Exit, Failure};
use super::chunks;
use super::client::{Body, streamed};
use super::copy::{Place, at, base, is_content, metadata};

/// Pieces that wait to be sent, and their size.
const AHEAD: usize = 4;
const PIECE: usize = 32 << 10;

pub(super) async fn run(
    source: &str,
    to: &Place<'_>,
    follow: bool,
    keep_owners: bool,
) -> Result<(), Failure> {
    let mut path = to.path.clone();
    let mut there = to.stat(&path).await?;
    if let Some(target) = there.as_ref().and_then(|stat| stat.target(&path)) {
        there = to.stat(&target).await?;
        path = target;
    }
    let is_dir = there.as_ref().is_some_and(|stat| stat.is_dir());
    if source == "-" {
        if !is_dir {
            let told = format!(
                "destination \"{}:{}\" must be a directory",
                to.container, to.path
            );
            return Err(Failure::new(Exit::Failed, told));
        }
        return put(to, &path, streamed(chunks::of(io::stdin())?), keep_owners).await;
    }
    let local = PathBuf::from(source);
    let found = metadata(&local, follow || is_content(source))?;
    let found = found.ok_or_else(|| at(&local, &"no such file or directory"))?;
    if found.is_dir() && there.is_some() && !is_dir {
        return Err(at(&local, &"cannot copy a directory over a file"));
    }
    if !found.is_dir() && there.is_none() && path.ends_with('/') {
        let told = format!("{}:{} is no directory", to.container, to.path);
        return Err(Failure::new(Exit::Failed, told));
    }
    let (dir, name) = if !is_dir {
        let parent = Path::new(&path).parent().unwrap_or(Path::new("/"));
        (parent.to_string_lossy().into_owned(), base(&path))
    } else if is_content(source) {
        (path, PathBuf::from("."))
    } else {
        (path, own_name(&local)?)
    };
    let body = packed(local, name, follow)?;
    put(to, &dir, body, keep_owners).await
}

async fn put(to: &Place<'_>, path: &str, body: Body, keep_owners: bool) -> Result<(), Failure> {
    let path = if path.is_empty() { "/" } else { path };
    let query = [
        ("path", path),
        ("noOverwriteDirNonDir", "true"),
        ("copyUIDGID", if keep_owners { "true" } else { "false" }),
    ];
    match to
        .engine
        .request(Method::PUT, &to.archive(), &query, body)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) => Err(to.explain(error).await),
    }
}

/// What it is called: `..` by the directory's name. The root has none, and is its content.
fn own_name(local: &Path) -> Result<PathBuf, Failure> {
    let named = match local.file_name() {
        Some(_) => local.to_owned(),
        None => local.canonicalize().map_err(|error| at(local, &error))?,
    };
    let name = named.file_name().unwrap_or(OsStr::new("."));
    Ok(PathBuf::from(name))
}

/// The archive of `local`, under `name`, made while it is sent.
pub(super) fn packed(local: PathBuf, name: PathBuf, follow: bool) -> Result<Body, Failure> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let making = thread::Builder::new().name("pack".into()).spawn(move || {
        let errors = sender.clone();
        let pieces = io::BufWriter::with_capacity(PIECE, Pieces(sender));
        let made = pack(pieces, &local, name, follow);
        if let Err(error) = made {
            let told = io::Error::new(error.kind(), format!("{}: {error}", local.display()));
            // Nobody wants it any more: the engine has said why.
            let _ = errors.blocking_send(Err(told));
        }
    });
    making.map_err(Failure::from)?;
    Ok(streamed(ReceiverStream::new(receiver)))
}

fn pack(pieces: impl Write, local: &Path, name: PathBuf, follow: bool) -> io::Result<()> {
    let mut archive = Builder::new(pieces);
    let mut left = vec![(local.to_owned(), name)];
    while let Some((path, name)) = left.pop() {
        let is_top = path == local;
        // Links in a directory stay links.
        let found = if is_top && (follow || is_content(&local.to_string_lossy())) {
            fs::metadata(&path)
        } else {
            fs::symlink_metadata(&path)
        };
        match found.and_then(|found| append(&mut archive, &path, &name, &found)) {
            Ok(names) => {
                let inside = names.into_iter();
                left.extend(inside.map(|inside| (path.join(&inside), name.join(&inside))));
            }
            // It vanished meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_top => {}
            Err(error) => return Err(error),
        }
    }
    archive.into_inner()?.flush()
}

/// The extended attribute that says what a program may do without being run by root.
pub(super) const CAPABILITY: &str = "security.capability";
pub(super) const CAPABILITY_KEY: &str = "SCHILY.xattr.security.capability";
/// None is longer (include/uapi/linux/capability.h `XATTR_CAPS_SZ_3`).
const MOST: usize = 24;

/// Writes one; what is in it, if it is a directory. No archive has sockets.
fn append(
    archive: &mut Builder<impl Write>,
    path: &Path,
    name: &Path,
    found: &Metadata,
) -> io::Result<Vec<OsString>> {
    let mut header = Header::new_gnu();
    header.set_metadata(found);
    let kind = found.file_type();
    if kind.is_dir() {
        let inside = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name()));
        let inside = inside.collect::<io::Result<_>>()?;
        header.set_size(0);
        archive.append_data(&mut header, name, io::empty())?;
        return Ok(inside);
    }
    if kind.is_file() {
        let file = File::open(path)?;
        let mut value = [0; MOST];
        // A file system may have none.
        if let Ok(length) = fgetxattr(&file, CAPABILITY, &mut value[..]) {
            let value = value.get(..length).unwrap_or_default();
            archive.append_pax_extensions([(CAPABILITY_KEY, value)])?;
        }
        // As long as the header says, whatever is cut off meanwhile.
        let content = file.chain(io::repeat(0)).take(found.len());
        archive.append_data(&mut header, name, content)?;
    } else if kind.is_symlink() {
        header.set_size(0);
        archive.append_link(&mut header, name, fs::read_link(path)?)?;
    } else if !kind.is_socket() {
        header.set_entry_type(match kind {
            kind if kind.is_fifo() => EntryType::Fifo,
            kind if kind.is_char_device() => EntryType::Char,
            _ => EntryType::Block,
        });
        header.set_device_major(rustix::fs::major(found.rdev()))?;
        header.set_device_minor(rustix::fs::minor(found.rdev()))?;
        header.set_size(0);
        archive.append_data(&mut header, name, io::empty())?;
    }
    Ok(Vec::new())
}

/// What is made, for a sender that waits.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(piece)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn sockets_are_left_out_and_owners_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/file"), "content").unwrap();
        let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
        std::os::unix::fs::symlink("/absent", dir.path().join("link")).unwrap();
        let mut made = Vec::new();
        pack(&mut made, dir.path(), "d".into(), false).unwrap();
        let mut archive = tar::Archive::new(&made[..]);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let mut found: Vec<_> = entries
            .map(|entry| {
                let uid = entry.header().uid().unwrap();
                (entry.path().unwrap().display().to_string(), uid)
            })
            .collect();
        found.sort();
        let own = u64::from(rustix::process::getuid().as_raw());
        let names = ["d", "d/link", "d/sub", "d/sub/file"];
        assert_eq!(found, names.map(|name| (name.to_owned(), own)));
    }

    #[test]
    fn a_directory_above_is_called_by_its_name() {
        assert_eq!(own_name(Path::new("a/b")).unwrap(), Path::new("b"));
        assert_eq!(
            own_name(Path::new("/usr/lib/..")).unwrap(),
            Path::new("usr")
        );
        assert_eq!(own_name(Path::new("/")).unwrap(), Path::new("."));
    }
}
