//! A bpffs of our own, for a moment.
//!
//! `aya` takes an existing map by its pin alone. Maps that programs of an earlier agent hold are
//! therefore pinned where only one short-lived thread sees it: in a mount namespace of its own.
//! Nothing of it is left afterwards, and a host without bpffs will do.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// There on every kernel with BPF (`bpf_init()`, kernel/bpf/inode.c, v6.12), mounted or not.
const MOUNT_POINT: &str = "/sys/fs/bpf";

/// Runs `work` with an empty bpffs at the path that it gets.
pub(super) fn with_bpffs<T: Send>(work: impl FnOnce(&Path) -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("bpffs".into())
            .spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_NEWNS)?;
                let none: Option<&str> = None;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
                mount(
                    Some("bpf"),
                    MOUNT_POINT,
                    Some("bpf"),
                    MsFlags::empty(),
                    none,
                )?;
                Ok(work(Path::new(MOUNT_POINT)))
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}
