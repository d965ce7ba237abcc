//! Restarting a workload by whoever runs it.
//!
//! In: an identity. Out: the engine's or systemd's word that it runs again, or why nobody can be
//! asked. Processes are never restarted behind the back of their manager.

mod engine;
mod target;
mod unit;

use std::time::{Duration, Instant};

use target::Target;

use super::Settings;
use super::errand::Ending;
use crate::identity::Identity;

/// A container or unit that does not heed its stop signal is given long: systemd's default is 90 s.
const DEADLINE: Duration = Duration::from_secs(120);

/// Restarts it and waits until it runs.
pub(super) async fn restart(identity: &Identity, settings: &Settings) -> Ending {
    let target = match Target::of(identity) {
        Ok(target) => target,
        Err(reason) => return Ending::refused(reason),
    };
    let start = Instant::now();
    let asked = async {
        match &target {
            Target::Own(id) => engine::restart(&settings.own_socket, id).await,
            Target::Docker(id) => engine::restart(&settings.docker_socket, id).await,
            Target::Podman(id) => engine::restart(&settings.podman_socket, id).await,
            Target::Unit(name) => unit::restart(settings.system_bus.as_deref(), name).await,
        }
    };
    let answer = tokio::time::timeout(DEADLINE, asked).await;
    let by = target.by();
    match answer {
        Ok(Ok(())) => {
            let took =
                Duration::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap_or(0));
            let took = humantime::format_duration(took);
            Ending::done(format!("{by} restarted it in {took}"))
        }
        Ok(Err(reason)) => Ending::failed(format!("{by}: {reason}")),
        Err(_elapsed) => Ending::failed(format!(
            "{by}: no end within {}; it may still come",
            humantime::format_duration(DEADLINE)
        )),
    }
}
