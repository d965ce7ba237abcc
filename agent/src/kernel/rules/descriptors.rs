//! Sockets by the descriptors of their processes, on kernels whose iterator cannot set them
//! (before 5.15). Sockets that no process has open any more are not found.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use aya::maps::{MapData, SkStorage};
use nix::libc;
use plimsoll_abi::rules::{Flow, map};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::attachment::Attached;
use super::error::HoldError;
use super::target::Target;
use super::value::{Value, unusable};

/// Gives every socket of the cgroup's processes back the pacing it had.
pub(super) fn give_back(target: &Target, attached: &Attached) -> Result<(), HoldError> {
    let flows = attached.map(map::FLOWS).ok_or(HoldError::Map {
        name: map::FLOWS,
        reason: "the program has none".to_owned(),
    })?;
    let mut flows = SkStorage::<_, Value<Flow>>::try_from(flows)
        .map_err(|error| unusable(map::FLOWS, &error))?;
    for process in target.processes() {
        // A process that ends meanwhile takes its sockets with it.
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let Some(pidfd) = pidfd {
            sockets(process, &pidfd, &mut flows);
        }
    }
    Ok(())
}

fn sockets(process: u32, pidfd: &OwnedFd, flows: &mut SkStorage<MapData, Value<Flow>>) {
    let listed = fs::read_dir(format!("/proc/{process}/fd"));
    for entry in listed.into_iter().flatten().flatten() {
        let is_socket = fs::read_link(entry.path())
            .is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let (true, Some(number)) = (is_socket, number) else {
            continue;
        };
        // Closed meanwhile; or no socket of ours.
        let Ok(socket) = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let Ok(Value(flow)) = flows.get(&socket, 0) else {
            continue;
        };
        if flow.paced == 0 {
            continue;
        }
        match set_pacing_rate(&socket, flow.original) {
            Ok(()) => {
                let flow = Flow { paced: 0, ..flow };
                // Only a later rate on this cgroup reads it.
                let _ = flows.insert(&socket, Value(flow), 0);
            }
            Err(error) => tracing::warn!(process, %error, "a socket keeps its pacing rate"),
        }
    }
}

fn set_pacing_rate(socket: &OwnedFd, rate: u32) -> io::Result<()> {
    // SAFETY: the value lives as long as the call, and is of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MAX_PACING_RATE,
            (&raw const rate).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
