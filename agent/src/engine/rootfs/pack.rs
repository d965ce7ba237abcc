//! From a tree of files to an archive.
//!
//! The tree may change meanwhile: what vanishes is left out, a file is as long as it was when its header
//! was written.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags, Stat};

use super::attributes::Place;
use super::pax;
use super::tree::{self, Links, Tree};
use super::users::UserRange;

/// The largest numbers that an octal field of a header holds.
const MOST_ID: u32 = 0o7_777_777;
const MOST_SIZE: u64 = 0o77_777_777_777;
const NAME: usize = 100;
/// File systems (`statfs(2)`) whose files are the kernel's words, made when they are read: proc, sysfs, cgroup (v1,
/// v2), devpts, mqueue, securityfs, debugfs, tracefs, bpf.
const KERNELS: [u32; 10] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x1980_0202,
    0x7363_6673,
    0x6462_6720,
    0x7472_6163,
    0xcafe_4a11,
];

/// Writes `name`, which is in `directory`, and all below it; the archive calls it `called`, and owners
/// what they are for `users`. Left out are sockets, what the kernel shows as files, and what it lets nobody read.
///
/// # Errors
/// The tree cannot be read, or the archive not be written.
pub(crate) fn pack(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    called: &OsStr,
    users: Option<UserRange>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tree = Tree::new(
        rustix::io::fcntl_dupfd_cloexec(directory, 0)?,
        Links::Refuse,
    );
    let mut packer = Packer {
        builder: tar::Builder::new(out),
        asked: name,
        users,
        seen: HashMap::new(),
    };
    // Paths instead of recursion: trees are deeper than stacks.
    let mut left = vec![(PathBuf::from(name), called.to_owned())];
    while let Some((path, called)) = left.pop() {
        match packer.file(&tree, &path, &called) {
            Ok(Some(names)) => {
                let inside = names.into_iter().rev();
                left.extend(inside.map(|name| (path.join(&name), join(&called, &name))));
            }
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && path != Path::new(name) => {}
            // Deeper than a path leads: who unpacked it could not make it either.
            Err(error) if error.kind() == ErrorKind::InvalidFilename && path != Path::new(name) => {
                tracing::warn!(%error, "left out of an archive: a tree that is deeper than a path leads");
            }
            Err(error) => return Err(error),
        }
    }
    packer.builder.finish()
}

fn join(called: &OsStr, name: &OsStr) -> OsString {
    let mut joined = called.as_bytes().to_vec();
    if !joined.is_empty() && !joined.ends_with(b"/") {
        joined.push(b'/');
    }
    joined.extend_from_slice(name.as_bytes());
    OsString::from_vec(joined)
}

struct Packer<'a> {
    builder: tar::Builder<&'a mut dyn Write>,
    asked: &'a OsStr,
    users: Option<UserRange>,
    /// Files with several names, by device and inode: the first of them.
    seen: HashMap<(u64, u64), OsString>,
}

impl Packer<'_> {
    /// Writes one; what is in it, if it is a directory.
    fn file(
        &mut self,
        tree: &Tree,
        path: &Path,
        called: &OsStr,
    ) -> io::Result<Option<Vec<OsString>>> {
        let (parent, name) = tree::split(path);
        let parent = tree.directory(parent)?;
        let place = Place {
            directory: parent.as_fd(),
            name,
        };
        let found = tree::stat(parent.as_fd(), name)?;
        let stat = found.ok_or(io::Error::from(ErrorKind::NotFound))?;
        let kind = tree::kind(&stat);
        if kind == FileType::RegularFile {
            match tree::open_file(place.directory, place.name) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied && path != self.asked => {
                    tracing::warn!(path = %path.display(), %error, "left out of an archive");
                }
                file => self.regular(&file?, place, called)?,
            }
            return Ok(None);
        }
        let mut member = Member::of(&stat, place, self.users)?;
        match kind {
            FileType::Directory => {
                let mut slashed = called.as_bytes().to_vec();
                if !slashed.ends_with(b"/") {
                    slashed.push(b'/');
                }
                member.write(&mut self.builder, &slashed, tar::EntryType::Directory)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                let inside = tree.at(path, flags)?;
                if is_kernels(inside.as_fd())? {
                    return Ok(None);
                }
                return tree::names(inside.as_fd()).map(Some);
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&parent, name, Vec::new())?;
                member.link = target.into_bytes();
                member.write(
                    &mut self.builder,
                    called.as_bytes(),
                    tar::EntryType::Symlink,
                )?;
            }
            FileType::Fifo => {
                member.write(&mut self.builder, called.as_bytes(), tar::EntryType::Fifo)?;
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                member.device = Some((
                    rustix::fs::major(stat.st_rdev),
                    rustix::fs::minor(stat.st_rdev),
                ));
                let kind = match kind {
                    FileType::CharacterDevice => tar::EntryType::Char,
                    _ => tar::EntryType::Block,
                };
                member.write(&mut self.builder, called.as_bytes(), kind)?;
            }
            // No archive has sockets.
            _ => {}
        }
        Ok(None)
    }

    fn regular(&mut self, file: &File, place: Place<'_>, called: &OsStr) -> io::Result<()> {
        let stat = rustix::fs::fstat(file)?;
        let mut member = Member::of(&stat, place, self.users)?;
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.seen.get(&inode) {
                member.link = first.as_bytes().to_vec();
                return member.write(&mut self.builder, called.as_bytes(), tar::EntryType::Link);
            }
            self.seen.insert(inode, called.to_owned());
        }
        member.size = u64::try_from(stat.st_size).unwrap_or(0);
        let size = member.size;
        member.write(
            &mut self.builder,
            called.as_bytes(),
            tar::EntryType::Regular,
        )?;
        let out = self.builder.get_mut();
        let copied = io::copy(&mut file.take(size), out)?;
        // To the next block of 512 bytes; zeros too for what was cut off meanwhile.
        let padded = size.next_multiple_of(512);
        io::copy(&mut io::repeat(0).take(padded - copied), out).map(|_| ())
    }
}

/// Whether something is on such a file system.
pub(super) fn is_kernels(file: impl AsFd) -> io::Result<bool> {
    let kind = rustix::fs::fstatfs(file)?.f_type;
    // Its type is another on every architecture.
    Ok(KERNELS
        .iter()
        .any(|known| i128::from(kind) == i128::from(*known)))
}

/// A header in the making.
struct Member {
    header: tar::Header,
    extended: Vec<(String, Vec<u8>)>,
    link: Vec<u8>,
    device: Option<(u32, u32)>,
    size: u64,
}

impl Member {
    fn of(stat: &Stat, place: Place<'_>, users: Option<UserRange>) -> io::Result<Self> {
        let owners = (stat.st_uid, stat.st_gid);
        let (uid, gid) = users.map_or(owners, |users| users.inside(owners.0, owners.1));
        let mut header = tar::Header::new_ustar();
        let mut extended = Vec::new();
        header.set_mode(stat.st_mode & 0o7777);
        for (key, id) in [("uid", uid), ("gid", gid)] {
            let held = id.min(MOST_ID);
            match key {
                "uid" => header.set_uid(held.into()),
                _ => header.set_gid(held.into()),
            }
            if held != id {
                extended.push((key.to_owned(), id.to_string().into_bytes()));
            }
        }
        let seconds = stat.st_mtime;
        let held = u64::try_from(seconds).unwrap_or(0).min(MOST_SIZE);
        header.set_mtime(held);
        if seconds < 0 {
            extended.push(("mtime".to_owned(), seconds.to_string().into_bytes()));
        } else if stat.st_mtime_nsec != 0 || i64::try_from(held) != Ok(seconds) {
            let time = format!("{seconds}.{:09}", stat.st_mtime_nsec);
            extended.push(("mtime".to_owned(), time.into_bytes()));
        }
        let xattrs = place.xattrs()?.into_iter();
        extended.extend(xattrs.map(|(name, value)| (pax::xattr_key(&name), value)));
        Ok(Self {
            header,
            extended,
            link: Vec::new(),
            device: None,
            size: 0,
        })
    }

    fn write(
        mut self,
        builder: &mut tar::Builder<&mut dyn Write>,
        called: &[u8],
        kind: tar::EntryType,
    ) -> io::Result<()> {
        self.header.set_entry_type(kind);
        self.header.set_size(self.size.min(MOST_SIZE));
        if self.size > MOST_SIZE {
            let size = self.size.to_string().into_bytes();
            self.extended.push(("size".to_owned(), size));
        }
        if let Some((major, minor)) = self.device {
            self.header.set_device_major(major)?;
            self.header.set_device_minor(minor)?;
        }
        let old = self.header.as_old_mut();
        for (field, value, key) in [
            (&mut old.name, called, "path"),
            (&mut old.linkname, &self.link[..], "linkpath"),
        ] {
            let fits = value.get(..NAME.min(value.len())).unwrap_or_default();
            for (byte, value) in field.iter_mut().zip(fits) {
                *byte = *value;
            }
            if value.len() > NAME {
                self.extended.push((key.to_owned(), value.to_vec()));
            }
        }
        self.header.set_cksum();
        let extended = self.extended.iter();
        builder.append_pax_extensions(extended.map(|(key, value)| (&key[..], &value[..])))?;
        builder.get_mut().write_all(self.header.as_bytes())
    }
}
