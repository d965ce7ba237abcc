//! What has to be a workload's own before it runs: its standard descriptors, its keyring.

use std::os::fd::BorrowedFd;

use libcontainer::oci_spec::runtime::{LinuxIdMapping, Process, Spec};
use rustix::fs::{FileType, Uid, fchown, fstat};

/// include/uapi/linux/keyctl.h
const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;

/// A process's user, as the host has it.
pub(super) fn host_user(process: &Process, spec: &Spec) -> u32 {
    let user = process.user().uid();
    let linux = spec.linux().as_ref();
    let mappings = linux.and_then(|linux| linux.uid_mappings().as_deref());
    mappings.map_or(user, |mappings| map(user, mappings))
}

fn map(user: u32, mappings: &[LinuxIdMapping]) -> u32 {
    let found = mappings.iter().find_map(|mapping| {
        let offset = user.checked_sub(mapping.container_id())?;
        (offset < mapping.size()).then(|| mapping.host_id().checked_add(offset))?
    });
    found.unwrap_or(user)
}

/// Lets the workload's user open its standard descriptors anew (`/dev/stdout`). Only pipes: a file or
/// a terminal that was handed in belongs to whoever handed it in.
pub(super) fn hand_over(stdio: [BorrowedFd<'_>; 3], user: u32) {
    for descriptor in stdio {
        let Ok(stat) = fstat(descriptor) else {
            continue;
        };
        let is_pipe = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
        if is_pipe && stat.st_uid != user {
            // As it was, then: the descriptor itself works.
            let _ = fchown(descriptor, Some(Uid::from_raw(user)), None);
        }
    }
}

/// Gives what is started from here on a session keyring of its own: keys in the starter's are not the
/// workload's to read.
pub(super) fn leave_keyring() {
    // SAFETY: an anonymous keyring is asked for; no memory is handed over.
    let joined = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<u8>(),
        )
    };
    if joined < 0 {
        let error = std::io::Error::last_os_error();
        // A kernel without keys has none to hide.
        tracing::debug!(%error, "no session keyring of its own");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn users_are_mapped_into_the_hosts_range() {
        let spec = |user: u32| -> Spec {
            serde_json::from_value(serde_json::json!({
                "ociVersion": "1.0.2",
                "process": {"cwd": "/", "user": {"uid": user, "gid": 0}},
                "linux": {"uidMappings": [
                    {"containerID": 0, "hostID": 100_000, "size": 10},
                    {"containerID": 10, "hostID": 7, "size": 1}]}
            }))
            .unwrap()
        };
        let host = |user| {
            let spec = spec(user);
            host_user(spec.process().as_ref().unwrap(), &spec)
        };
        assert_eq!(host(0), 100_000);
        assert_eq!(host(9), 100_009);
        assert_eq!(host(10), 7);
        assert_eq!(host(11), 11, "not mapped");
    }
}
