//! An empty volume gets what the image has at its place.

use std::fs;
use std::io::{self, pipe};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::engine::rootfs::pack::pack;
use crate::engine::rootfs::tree::{self, Links, Tree};
use crate::engine::rootfs::unpack::{Form, unpack};

/// Copies the directory `from` of a tree, itself and all in it, over the empty directory `to`. One that
/// has files, or nothing at `from`, is left as it is.
pub(super) fn populate(root: &Tree, from: &Path, to: &Path) -> io::Result<()> {
    if fs::read_dir(to)?.next().is_some() {
        return Ok(());
    }
    let from = match root.at(from, OFlags::PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        from => from?,
    };
    let stat = rustix::fs::fstat(&from)?;
    if tree::kind(&stat) != FileType::Directory {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let to = Tree::new(rustix::fs::open(to, flags, Mode::empty())?, Links::Refuse);
    let (reader, mut writer) = pipe()?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let dot = ".".as_ref();
            pack(from.as_fd(), dot, dot, None, &mut writer)
        });
        let form = Form::Files {
            keep_kinds: false,
            keep_base: false,
        };
        let unpacked = unpack(reader, &to, Path::new(""), form);
        let packed = packing
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("packing panicked")));
        // Who reads no further breaks the pipe: its reason comes first.
        unpacked.map_err(io::Error::other)?;
        packed
    })
}
