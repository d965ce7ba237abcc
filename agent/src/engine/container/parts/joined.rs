//! Namespaces of other containers, kept from becoming somebody else's meanwhile.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use super::prepare::Pins;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::Settings;
use crate::engine::container::{EngineError, ErrorKind};
use crate::engine::spec::Joined;

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
        })
    }

    fn pin(&self, name: &str, namespace: &str, pins: &mut Pins) -> Result<PathBuf, EngineError> {
        let cell = self.registry.resolve(name)?;
        let not_running = || EngineError::Part {
            kind: ErrorKind::Conflict,
            text: format!(
                "cannot join {namespace} of a non running container: {}",
                cell.id
            ),
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
