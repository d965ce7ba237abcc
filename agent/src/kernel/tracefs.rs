//! tracefs where the host has not mounted it.
//!
//! System-call tracepoints are found through tracefs. Mounting it for everybody would change the
//! host, so it is mounted in a mount namespace that only one short-lived thread is in.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const MOUNT_POINT: &str = "/sys/kernel/tracing";

/// Runs `work` where tracefs is visible at its usual place.
pub(super) fn with_tracefs<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if Path::new(MOUNT_POINT).join("events").exists() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("tracefs".into())
            .spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_NEWNS)?;
                let none: Option<&str> = None;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
                mount(
                    Some("tracefs"),
                    MOUNT_POINT,
                    Some("tracefs"),
                    MsFlags::empty(),
                    none,
                )?;
                Ok(work())
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the tracefs thread panicked")))
    })
}
