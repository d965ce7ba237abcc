//! One overlay mount: an image's layers below, what the workload writes on top.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount,
    move_mount, open_tree, unmount,
};

use super::RootfsError;
use super::attributes::{set_mode, set_owner};
use super::users::{Mapped, UserRange};

/// The longest string that `fsconfig(2)` takes, with its zero (fs/fsopen.c, v6.12).
const LONGEST_STRING: usize = 256;
const OVERLAY: &str = "overlay";
/// - An index refuses layers that another overlay uses too.
/// - What is noted in layers to be elsewhere is not looked up there: layers are strangers'. A lower
///   directory that is renamed is copied, as with Docker.
const OPTIONS: [(&str, &str); 3] = [
    ("index", "off"),
    ("metacopy", "off"),
    ("redirect_dir", "nofollow"),
];
/// Since Linux 5.10.
const VOLATILE: &str = "volatile";
/// What is mounted: shown as the source in the mount table, where scripts look for Docker's.
const SOURCE: &str = OVERLAY;

/// Directories that become one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// In overlay form, lowest first; at least one.
    pub lower: Vec<PathBuf>,
    /// What is written. Made if it is missing, with the owner and mode of the topmost lower one.
    pub upper: PathBuf,
    /// Overlayfs's own, beside the upper one. Made if it is missing.
    pub work: PathBuf,
    /// What is written need not outlive the host's power. Else unmounting writes the upper directory's whole
    /// file system to its disk, whoever wrote there (fs/overlayfs/super.c `ovl_sync_fs()`, v6.12).
    pub volatile: bool,
}

impl Overlay {
    /// Mounts it at `target`, a directory.
    ///
    /// # Errors
    /// A directory is missing, or the kernel refuses.
    pub fn mount(&self, target: &Path) -> Result<(), RootfsError> {
        self.prepare()?;
        let mounted = match self.mount_with_context() {
            Ok(mount) => attach(mount.as_fd(), target),
            Err(Errno::INVAL) => self.mount_with_options(target),
            Err(error) => Err(error),
        };
        mounted.map_err(|error| self.failed(target, error))
    }

    /// Mounts it at `target` for users of a container's own: on disk everything belongs to whom it does
    /// for those inside.
    ///
    /// # Errors
    /// As [`mount`](Self::mount), and where file system or kernel do not map owners.
    pub fn mount_for(&self, users: UserRange, target: &Path) -> Result<(), RootfsError> {
        self.prepare()?;
        let mut layers = Mapped::at(target, users)?;
        let lower = self.lower.iter().map(|path| layers.push(path));
        let lower = lower.collect::<Result<Vec<_>, _>>()?;
        let (Some(directory), Some(upper), Some(work)) = (
            self.upper.parent(),
            self.upper.file_name(),
            self.work.file_name(),
        ) else {
            return Err(self.failed(target, Errno::INVAL));
        };
        // Both have to be on one mount (ovl_get_workdir(), fs/overlayfs/super.c, v6.12).
        let directory = PathBuf::from(layers.push(directory)?);
        let mapped = Self {
            lower: lower.into_iter().map(PathBuf::from).collect(),
            upper: directory.join(upper),
            work: directory.join(work),
            volatile: self.volatile,
        };
        let mount = mapped.detached(target).map_err(|error| match error {
            RootfsError::Mount { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                RootfsError::MapLayers { source }
            }
            error => error,
        })?;
        drop(layers);
        attach(mount.as_fd(), target).map_err(|error| self.failed(target, error))
    }

    /// Mounts it nowhere: it is there as long as the descriptor. `spare` is an empty directory, used
    /// where the kernel cannot do it (before Linux 6.8).
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub fn detached(&self, spare: &Path) -> Result<OwnedFd, RootfsError> {
        self.prepare()?;
        match self.mount_with_context() {
            Err(Errno::INVAL) => {}
            mount => return mount.map_err(|error| self.failed(spare, error)),
        }
        let detached = self.mount_with_options(spare).and_then(|()| {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let tree = open_tree(CWD, spare, flags);
            unmount(spare, UnmountFlags::DETACH)?;
            tree
        });
        detached.map_err(|error| self.failed(spare, error))
    }

    fn failed(&self, target: &Path, error: Errno) -> RootfsError {
        RootfsError::Mount {
            target: target.to_owned(),
            layers: self.lower.len(),
            source: error.into(),
        }
    }

    fn prepare(&self) -> Result<(), RootfsError> {
        make(&self.work, None)
            .and_then(|()| self.forget_volatile())
            .map_err(|source| RootfsError::Prepare {
                path: self.work.clone(),
                source,
            })?;
        make(&self.upper, self.lower.last()).map_err(|source| RootfsError::Prepare {
            path: self.upper.clone(),
            source,
        })
    }

    /// A volatile mount leaves a mark, so that nobody trusts what a power cut may have torn
    /// (fs/overlayfs/super.c `ovl_create_volatile_dirty()`, v6.12). What is volatile here did not outlive one.
    fn forget_volatile(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.work.join("work/incompat")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// `lowerdir+`, one a layer, came with Linux 6.8; before that it is an invalid argument.
    fn mount_with_context(&self) -> rustix::io::Result<OwnedFd> {
        let context = fsopen(OVERLAY, FsOpenFlags::FSOPEN_CLOEXEC)?;
        let context = context.as_fd();
        fsconfig_set_string(context, "source", SOURCE)?;
        // Held until it is mounted: a name may be that of a descriptor.
        let mut held = Vec::new();
        for lower in self.lower.iter().rev() {
            set_directory(context, "lowerdir+", lower, &mut held)?;
        }
        set_directory(context, "upperdir", &self.upper, &mut held)?;
        set_directory(context, "workdir", &self.work, &mut held)?;
        for (option, value) in OPTIONS {
            fsconfig_set_string(context, option, value)?;
        }
        if self.volatile {
            fsconfig_set_flag(context, VOLATILE)?;
        }
        fsconfig_create(context)?;
        fsmount(
            context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        )
    }

    /// One page of options has to hold all layers: descriptors are short names, and without a comma
    /// or a colon.
    fn mount_with_options(&self, target: &Path) -> rustix::io::Result<()> {
        let mut held = Vec::new();
        let mut name = |path: &Path| -> rustix::io::Result<String> {
            let directory = open_path(path)?;
            let name = descriptor_name(&directory);
            held.push(directory);
            Ok(name)
        };
        let lower: rustix::io::Result<Vec<_>> =
            self.lower.iter().rev().map(|path| name(path)).collect();
        let mut options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower?.join(":"),
            name(&self.upper)?,
            name(&self.work)?
        );
        for (option, value) in OPTIONS {
            options.push_str(&format!(",{option}={value}"));
        }
        if self.volatile {
            options.push(',');
            options.push_str(VOLATILE);
        }
        let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
        mount(SOURCE, target, OVERLAY, MountFlags::empty(), &*options)
    }
}

/// Unmounts what is mounted at `target`; what is still used goes with its last user. Nothing mounted is
/// fine.
///
/// # Errors
/// The kernel refuses.
pub fn unmount_at(target: &Path) -> Result<(), RootfsError> {
    let unmounted = match unmount(target, UnmountFlags::NOFOLLOW) {
        Err(Errno::BUSY) => unmount(target, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH),
        unmounted => unmounted,
    };
    match unmounted {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => Err(RootfsError::Unmount {
            target: target.to_owned(),
            source: error.into(),
        }),
    }
}

fn attach(mount: BorrowedFd<'_>, target: &Path) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount, "", CWD, target, flags)
}

fn set_directory(
    context: BorrowedFd<'_>,
    option: &str,
    path: &Path,
    held: &mut Vec<OwnedFd>,
) -> rustix::io::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = !bytes.iter().any(|byte| matches!(byte, b'\\' | b':' | b','));
    if is_plain && bytes.len() < LONGEST_STRING {
        return fsconfig_set_string(context, option, path);
    }
    let directory = open_path(path)?;
    fsconfig_set_string(context, option, descriptor_name(&directory))?;
    held.push(directory);
    Ok(())
}

fn open_path(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn descriptor_name(directory: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

/// Makes a directory that is missing, for root alone or as another one is.
fn make(path: &Path, like: Option<&PathBuf>) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    if let Some(like) = like {
        let like = fs::metadata(like)?;
        let directory = open_path(path)?;
        set_owner(directory.as_fd(), like.uid(), like.gid())?;
        set_mode(directory.as_fd(), like.mode() & 0o7777)?;
    }
    Ok(())
}
