//! A disk that is full: what does not fit leaves nothing.

use std::path::Path;

use plimsoll::engine::image::Store;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::archive::{files, honest, left};
use crate::support::skip;

/// A file system of two megabytes.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        match mount(
            "small",
            dir.path(),
            "tmpfs",
            MountFlags::empty(),
            Some(c"size=2m"),
        ) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                skip(test, &format!("no tmpfs can be mounted: {error}"));
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_does_not_fit_leaves_nothing() {
    let Some(small) = Small::mount("what_does_not_fit_leaves_nothing") else {
        return;
    };
    let store = Store::open(small.path()).unwrap();
    let noise = noise(1200 << 10);
    let (little, much) = (files(&[("little", b"x")]), files(&[("much", &noise)]));
    // While the archive is put aside; while its layer is unpacked; both again for an import.
    let two = honest("x", &[&little, &much, &files(&[("more", &noise)])]);
    let one = honest("x", &[&little, &much]);
    for archive in [&two, &one] {
        let error = store.load(&archive[..]).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let told = format!("{error}: {}", cause.unwrap_or_default());
        assert!(told.contains("No space left"), "{told}");
        assert_eq!(left(small.path()), [""; 0]);
    }
    let error = store.import(&much[..], Some("x"), "", &[]).unwrap_err();
    assert!(matches!(
        error,
        plimsoll::engine::image::ImageError::Archive(_)
            | plimsoll::engine::image::ImageError::Io { .. }
    ));
    assert_eq!(left(small.path()), [""; 0]);
    store.load(&honest("x", &[&little])[..]).unwrap();
    drop(store);
    let again = Store::open(small.path()).unwrap();
    assert_eq!(again.list().unwrap()[0].repo_tags, ["x:latest"]);
}
