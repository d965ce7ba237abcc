//! What a container will not have as it was asked for, told when it is created.

use bollard::models::ContainerCreateBody;
use libcontainer::oci_spec::runtime::Process;

use super::mode::{Modes, Share};
use super::security::Security;
use super::{SpecError, capability, resources, rlimits};
use crate::cgroup::{Controller, Layout};
use crate::launch;

/// What its start will find out, in the words that it will be logged in then. Completes its limits.
///
/// # Errors
/// What [`validate`](super::validate) refuses.
pub fn foresee(body: &mut ContainerCreateBody, layout: &Layout) -> Result<Vec<String>, SpecError> {
    let host = body.host_config.get_or_insert_default();
    let modes = Modes::of(host)?;
    let mut warnings = Vec::new();
    Security::of(host)?.warn(&mut warnings);
    resources::warn(host, layout, &mut warnings);
    let memory = layout.controller(Controller::Memory);
    if host.oom_kill_disable == Some(true) && memory.is_some_and(|one| one.is_unified()) {
        warnings.push(launch::Warning::OomKillerStays.to_string());
    }

    let mut process = Process::default();
    let bounding = capability::asked_for(host)?;
    process.set_capabilities(Some(capability::sets(&bounding, 0)?));
    process.set_rlimits(Some(rlimits::of(host)?).filter(|list| !list.is_empty()));
    let score = i32::try_from(host.oom_score_adj.unwrap_or(0)).unwrap_or(0);
    process.set_oom_score_adj(Some(score));
    let cut = launch::foresee(&process, modes.user == Share::Own);
    warnings.extend(cut.iter().map(ToString::to_string));
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bollard::models::HostConfig;

    use super::*;

    fn told(host: HostConfig) -> Vec<String> {
        foreseen(host).0
    }

    fn foreseen(host: HostConfig) -> (Vec<String>, HostConfig) {
        let mut body = ContainerCreateBody {
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let told = foresee(&mut body, &Layout::from_hierarchies(Vec::new())).unwrap();
        (told, body.host_config.unwrap())
    }

    #[test]
    fn what_can_be_had_is_not_warned_of() {
        assert!(told(HostConfig::default()).is_empty());
    }

    #[test]
    fn what_cannot_is_named() {
        let limits = HostConfig {
            memory: Some(64 << 20),
            ..HostConfig::default()
        };
        let (told, host) = foreseen(limits);
        assert!(told[0].contains("Memory limited without swap"), "{told:?}");
        // As `inspect` has it.
        assert_eq!(host.memory_swap, Some(-1));
    }
}
