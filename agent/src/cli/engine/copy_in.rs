//! Files into a container.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use bytes::Bytes;
use hyper::Method;
use tar::Builder;
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
        let whole = std::path::absolute(&local).map_err(|error| at(&local, &error))?;
        (path, base(&whole.to_string_lossy()))
    };
    let body = packed(local, name, found.is_dir(), follow)?;
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

/// The archive of `local`, under `name`, made while it is sent.
pub(super) fn packed(
    local: PathBuf,
    name: PathBuf,
    is_dir: bool,
    follow: bool,
) -> Result<Body, Failure> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let making = thread::Builder::new().name("pack".into()).spawn(move || {
        let errors = sender.clone();
        let pieces = io::BufWriter::with_capacity(PIECE, Pieces(sender));
        let made = pack(pieces, &local, &name, is_dir, follow);
        if let Err(error) = made {
            let told = io::Error::new(error.kind(), format!("{}: {error}", local.display()));
            // Nobody wants it any more: the engine has said why.
            let _ = errors.blocking_send(Err(told));
        }
    });
    making.map_err(Failure::from)?;
    Ok(streamed(ReceiverStream::new(receiver)))
}

fn pack(
    pieces: impl Write,
    local: &Path,
    name: &Path,
    is_dir: bool,
    follow: bool,
) -> io::Result<()> {
    let mut archive = Builder::new(pieces);
    // Links in a directory stay links.
    archive.follow_symlinks(false);
    if is_dir {
        archive.append_dir_all(name, local)?;
    } else if follow {
        archive.append_file(name, &mut File::open(local)?)?;
    } else {
        archive.append_path_with_name(local, name)?;
    }
    archive.into_inner()?.flush()
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
