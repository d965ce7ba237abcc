//! Files out of a container. What comes is a container's, so it is unpacked like any stranger's archive:
//! nothing outside the target, no way out through links it brought.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::super::failure::{Exit, Failure};
use super::client::nothing;
use super::copy::{Place, at, base, is_content, metadata, output, stat_of};
use super::copy_in::{CAPABILITY, CAPABILITY_KEY};
use super::output_frames::{Sink, write};
use crate::api::ClientError;

/// Pieces that wait to be unpacked.
const AHEAD: usize = 4;

/// Where the archive's entries go: its first name is replaced.
#[derive(Debug)]
struct Target {
    dir: PathBuf,
    /// `None`: what is in the archive's directory goes straight into `dir`.
    name: Option<PathBuf>,
    keep_owners: bool,
}

pub(super) async fn run(
    from: &Place<'_>,
    target: &str,
    follow: bool,
    keep_owners: bool,
) -> Result<(), Failure> {
    let mut path = from.path.clone();
    if follow && let Some(stat) = from.stat(&path).await? {
        path = stat.target(&path).unwrap_or(path);
    }
    let query = [("path", path.as_str())];
    let answer = from
        .engine
        .request(Method::GET, &from.archive(), &query, nothing())
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(from.explain(error).await),
    };
    if target == "-" {
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
                write(Sink::Stdout, data).await?;
            }
        }
        return Ok(());
    }
    let is_dir = stat_of(answer.headers())?.is_dir();
    // By the name that was asked for, be it a link's.
    let target = choose(&from.path, is_dir, target, keep_owners)?;
    unpack(answer.into_body(), target).await
}

fn choose(source: &str, is_dir: bool, target: &str, keep_owners: bool) -> Result<Target, Failure> {
    let path = &output(Path::new(target))?;
    let there = metadata(path, true)?;
    if there.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Ok(Target {
            dir: path.to_owned(),
            name: (!is_content(source)).then(|| base(source)),
            keep_owners,
        });
    }
    if there.is_some() && is_dir {
        return Err(at(path, &"cannot copy a directory over a file"));
    }
    if target.ends_with('/') && !is_dir {
        return Err(at(path, &"no such directory"));
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(at(parent, &"no such directory"));
    }
    Ok(Target {
        dir: parent.to_owned(),
        name: path.file_name().map(PathBuf::from),
        keep_owners,
    })
}

async fn unpack(mut body: Incoming, target: Target) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let unpacking = spawn_blocking(move || {
        let mut archive = Archive::new(Pieces {
            receiver,
            piece: Bytes::new(),
        });
        archive.set_preserve_permissions(true);
        archive.set_preserve_ownerships(target.keep_owners);
        target.unpack(&mut archive)
    });
    while let Some(frame) = body.frame().await {
        let piece = match frame.map_err(ClientError::Broken)?.into_data() {
            Ok(piece) => piece,
            Err(_) => continue,
        };
        // It has failed, and tells below why.
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    let unpacked = unpacking
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    unpacked.map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

impl Target {
    fn unpack(&self, archive: &mut Archive<Pieces>) -> io::Result<()> {
        let root = self.dir.canonicalize()?;
        // What is made in them changes their times.
        let mut directories = Vec::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.into_owned();
            let failed = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", name.display()))
            };
            let path = self.place(&root, &name).map_err(failed)?;
            // The target itself, of a directory's content.
            if path == root {
                continue;
            }
            inside(&root, &path).map_err(failed)?;
            self.unpack_one(&root, &mut entry, &path).map_err(failed)?;
            if entry.header().entry_type() == EntryType::Directory {
                directories.push((path, entry.header().mtime()?));
            }
        }
        for (path, mtime) in directories.iter().rev() {
            inside(&root, path).and_then(|()| set_mtime(path, *mtime))?;
        }
        Ok(())
    }

    fn unpack_one(
        &self,
        root: &Path,
        entry: &mut Entry<'_, Pieces>,
        path: &Path,
    ) -> io::Result<()> {
        match entry.header().entry_type() {
            EntryType::Link => {
                let linked = entry.link_name()?.unwrap_or_default();
                let linked = self.place(root, &linked)?;
                inside(root, &linked)?;
                let _ = fs::remove_file(path); // A file of that name is replaced; mostly there is none.
                return fs::hard_link(linked, path);
            }
            EntryType::Fifo => {}
            // Which of the host's devices there are is not a container's to say.
            EntryType::Char | EntryType::Block => return Ok(()),
            _ => {
                let capability = capability(entry)?;
                entry.unpack(path)?;
                return capability.map_or(Ok(()), |value| set_capability(path, &value));
            }
        }
        let header = entry.header();
        let _ = fs::remove_file(path); // As above.
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        fs::set_permissions(path, fs::Permissions::from_mode(header.mode()?))?;
        if self.keep_owners {
            let [uid, gid] = [header.uid()?, header.gid()?].map(|id| u32::try_from(id).ok());
            std::os::unix::fs::lchown(path, uid, gid)?;
        }
        set_mtime(path, header.mtime()?)
    }

    /// Where an entry of that name goes. Those of the root have no directory's name to be replaced: `/bin`.
    fn place(&self, root: &Path, name: &Path) -> io::Result<PathBuf> {
        let mut parts = Vec::new();
        for part in name.components() {
            match part {
                Component::Normal(part) => parts.push(part),
                // A directory's content comes under `.`, which stands for its name.
                Component::CurDir => parts.push(part.as_os_str()),
                Component::RootDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(io::Error::other("leads out of the target"));
                }
            }
        }
        let mut path = root.to_owned();
        path.extend(&self.name);
        path.extend(parts.iter().skip(usize::from(!name.has_root())));
        Ok(path)
    }
}

/// What a program may do without being run by root; it is all that Docker copies of extended attributes.
fn capability(entry: &mut Entry<'_, Pieces>) -> io::Result<Option<Vec<u8>>> {
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        if record.key_bytes() == CAPABILITY_KEY.as_bytes() {
            return Ok(Some(record.value_bytes().to_owned()));
        }
    }
    Ok(None)
}

/// Where whoever copies may, and the file system can.
fn set_capability(path: &Path, value: &[u8]) -> io::Result<()> {
    match lsetxattr(path, CAPABILITY, value, XattrFlags::empty()) {
        Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn set_mtime(path: &Path, seconds: u64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(rustix::fs::utimensat(
        CWD,
        path,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// No link that was there or came before leads out.
fn inside(root: &Path, path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(root);
    match parent.canonicalize() {
        Ok(parent) if parent.starts_with(root) => Ok(()),
        Ok(_) => Err(io::Error::other("leads out of the target through a link")),
        Err(error) => Err(error),
    }
}

/// What comes, for a reader that waits.
struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        let (here, _) = buffer.split_at_mut(length);
        self.piece.copy_to_slice(here);
        Ok(length)
    }
}
