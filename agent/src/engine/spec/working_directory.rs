//! The directory a container's process starts in: made where it is missing, as Docker has it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Mount;
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, open, openat2};
use rustix::io::Errno;

use super::SpecError;
use super::error::{refuse, unsupported};
use super::mounts::normal;

/// What a configuration asks for; the root where it asks for none.
pub(super) fn of(own: Option<&str>, image: Option<&str>) -> Result<PathBuf, SpecError> {
    let wish = own
        .filter(|path| !path.is_empty())
        .or(image)
        .unwrap_or_default();
    if wish.is_empty() {
        return Ok(PathBuf::from("/"));
    }
    if !wish.starts_with('/') {
        return refuse(format!(
            "the working directory '{wish}' is invalid, it needs to be an absolute path"
        ));
    }
    Ok(normal(Path::new(wish)))
}

/// Makes it, in the root filesystem or in what is mounted over it. `libcontainer` 0.7.0 only changes
/// into it (process/init/process.rs).
pub(super) fn make(directory: &Path, rootfs: &Path, mounts: &[Mount]) -> Result<(), SpecError> {
    let failed = |source: Errno| SpecError::WorkingDirectory {
        path: directory.to_owned(),
        source: io::Error::from(source),
    };
    let above = mounts
        .iter()
        .filter(|mount| directory.starts_with(mount.destination()));
    // Of two at one place, the later one is seen.
    let above = above.max_by_key(|mount| mount.destination().components().count());
    let Some(mount) = above else {
        return ensure(rootfs, directory).map_err(failed);
    };
    let below = directory
        .strip_prefix(mount.destination())
        .unwrap_or(directory);
    match (mount.typ().as_deref(), mount.source()) {
        // The mount point itself.
        _ if below.as_os_str().is_empty() => Ok(()),
        (Some("bind"), Some(source)) => ensure(source, below).map_err(failed),
        (Some("tmpfs"), _) if !mount.destination().starts_with("/dev") => unsupported(
            format!("the working directory {}", directory.display()),
            format!(
                "the tmpfs at {} is empty when it starts",
                mount.destination().display()
            ),
        ),
        // The kernel's own: they are there or not.
        _ => Ok(()),
    }
}

fn ensure(root: &Path, directory: &Path) -> Result<(), Errno> {
    let root = open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut done = PathBuf::from(".");
    for name in normal(directory).components().skip(1) {
        let parent = enter(&root, &done)?;
        let mode = Mode::from_raw_mode(0o755);
        match mkdirat(&parent, name.as_os_str(), mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        done.push(name);
    }
    enter(&root, &done).map(drop)
}

fn enter(root: &OwnedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mount(text: &str) -> Mount {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn it_is_the_containers_or_the_images_or_the_root() {
        assert_eq!(of(None, None).unwrap(), Path::new("/"));
        assert_eq!(of(Some(""), Some("/i")).unwrap(), Path::new("/i"));
        assert_eq!(
            of(Some("/a/./b/../c/"), Some("/i")).unwrap(),
            Path::new("/a/c")
        );
        assert_eq!(
            of(Some("a"), None).unwrap_err().to_string(),
            "the working directory 'a' is invalid, it needs to be an absolute path"
        );
    }

    #[test]
    fn links_do_not_lead_out_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("/in", root.path().join("link")).unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        make(Path::new("/link/a/b"), root.path(), &[]).unwrap();
        assert!(root.path().join("in/a/b").is_dir());
        // In the root, the link leads nowhere.
        assert!(make(Path::new("/out/x"), root.path(), &[]).is_err());
        assert!(!outside.path().join("x").exists());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(make(Path::new("/file"), root.path(), &[]).is_err());
    }

    #[test]
    fn in_a_volume_it_is_made_there() {
        let root = tempfile::tempdir().unwrap();
        let volume = tempfile::tempdir().unwrap();
        let bind = mount(&format!(
            r#"{{"destination":"/data","type":"bind","source":"{}"}}"#,
            volume.path().display()
        ));
        let tmpfs = mount(r#"{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}"#);
        let proc = mount(r#"{"destination":"/proc","type":"proc","source":"proc"}"#);
        let mounts = [bind, tmpfs, proc];
        make(Path::new("/data/a/b"), root.path(), &mounts).unwrap();
        assert!(volume.path().join("a/b").is_dir());
        assert!(!root.path().join("data").exists());
        make(Path::new("/tmp"), root.path(), &mounts).unwrap();
        make(Path::new("/proc/self"), root.path(), &mounts).unwrap();
        let error = make(Path::new("/tmp/x"), root.path(), &mounts).unwrap_err();
        assert!(
            error.to_string().contains("the tmpfs at /tmp is empty"),
            "{error}"
        );
    }
}
