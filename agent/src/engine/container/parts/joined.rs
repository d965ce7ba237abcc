//! What containers share: namespaces of others, kept from becoming somebody else's meanwhile, and `/dev/shm`.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::Parts;
use super::prepare::{Pins, part};
use crate::engine::container::handle::Shared;
use crate::engine::container::model::Settings;
use crate::engine::container::{EngineError, ErrorKind};
use crate::engine::rootfs::UserRange;
use crate::engine::spec::{Joined, shm_bytes};
use crate::launch::Id;

/// The part of a container that its shared `/dev/shm` is.
const SHM: &str = "shm";
const HOSTS_SHM: &str = "/dev/shm";

/// Names of the containers whose namespaces one asks for.
pub(in crate::engine::container) fn joins(settings: &Settings) -> Vec<String> {
    let host = settings.host().cloned().unwrap_or_default();
    let modes = [
        host.network_mode,
        host.ipc_mode,
        host.pid_mode,
        host.uts_mode,
    ];
    let named = modes.iter().flatten().filter_map(|mode| container_of(mode));
    named.map(str::to_owned).collect()
}

/// Whose namespace a mode asks for.
pub(super) fn container_of(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:")
}

impl Shared {
    /// The namespaces of others that a container asks for: descriptors of this process, so that what is
    /// named is what was looked at, whoever has the pid by then.
    pub(super) fn joined(
        &self,
        settings: &Settings,
        pins: &mut Pins,
    ) -> Result<Joined, EngineError> {
        let Some(host) = settings.host() else {
            return Ok(Joined::default());
        };
        let mut join = |mode: &Option<String>, namespace: &str| -> Result<_, EngineError> {
            let name = mode.as_deref().and_then(container_of);
            name.map(|name| self.pin(name, namespace, pins)).transpose()
        };
        Ok(Joined {
            network: join(&host.network_mode, "net")?,
            ipc: join(&host.ipc_mode, "ipc")?,
            pid: join(&host.pid_mode, "pid")?,
            uts: join(&host.uts_mode, "uts")?,
            shm: None,
        })
    }

    fn pin(&self, name: &str, namespace: &str, pins: &mut Pins) -> Result<PathBuf, EngineError> {
        let cell = self.registry.resolve(name)?;
        let not_running = || {
            let id = &cell.id;
            conflict(match namespace {
                "net" => format!("cannot join network of a non running container: {id}"),
                "ipc" => cannot_join_ipc(id, &format!("container {id} is not running")),
                _ => format!("container {id} is not running"),
            })
        };
        let life = cell.record().life;
        let process = life
            .process
            .filter(|_| life.runs())
            .ok_or_else(not_running)?;
        let path = PathBuf::from(format!("/proc/{}/ns/{namespace}", process.pid));
        let file = File::open(&path).map_err(|_| not_running())?;
        // Opened while it lived: then it is its own.
        if !process.is_alive() {
            return Err(not_running());
        }
        let pinned = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        pins.0.push(file);
        Ok(pinned.into())
    }
}

impl Parts {
    /// The `/dev/shm` of a container that shares its own or has another's, mounted where the host sees it: what
    /// others can have a copy of, as long as this container runs.
    pub(super) fn mount_shared_memory(
        &self,
        shared: &Shared,
        settings: &Settings,
        users: Option<UserRange>,
    ) -> Result<Option<PathBuf>, EngineError> {
        let Some((host, mode)) = settings.host().zip(shared_ipc(settings)) else {
            return Ok(None);
        };
        let name = part(settings, SHM);
        let Some(other) = container_of(mode) else {
            let mounted = self.mounts.mount_memory(&name, shm_bytes(host), users)?;
            return Ok(Some(mounted));
        };
        let other = shared.registry.resolve(other)?;
        let donor = other.settings();
        if donor.host().and_then(|host| host.ipc_mode.as_deref()) == Some("host") {
            return Ok(Some(HOSTS_SHM.into()));
        }
        let mounted = self.mounts.open_mounted(&part(&donor, SHM));
        let mounted = mounted.map_err(|_| {
            let why = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)";
            EngineError::Invalid(cannot_join_ipc(&other.id, why))
        })?;
        let pinned = format!("/proc/self/fd/{}", mounted.as_raw_fd());
        Ok(Some(self.mounts.bind(&name, Path::new(&pinned), None)?))
    }

    /// Its own `/dev/shm` may be none of these: the user's, whatever the mode.
    pub(super) fn unmount_shared_memory(&self, settings: &Settings) -> Result<(), EngineError> {
        match shared_ipc(settings) {
            Some(_) => Ok(self.mounts.unmount(&part(settings, SHM))?),
            None => Ok(()),
        }
    }
}

/// Its IPC mode, if it is one that shares.
fn shared_ipc(settings: &Settings) -> Option<&str> {
    let mode = settings.host()?.ipc_mode.as_deref()?;
    (mode == "shareable" || container_of(mode).is_some()).then_some(mode)
}

fn conflict(text: String) -> EngineError {
    EngineError::Part {
        kind: ErrorKind::Conflict,
        text,
    }
}

fn cannot_join_ipc(id: &Id, why: &str) -> String {
    format!("can't join IPC of container {id}: {why}")
}
