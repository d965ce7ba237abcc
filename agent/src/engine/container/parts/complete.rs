//! A container's configuration, checked and completed when it is created.

use std::path::Path;

use bollard::models::ContainerCreateBody;

use super::normalise::refuse_address_without_network;
use super::{Bound, Parts, ROOTFS, image};
use crate::engine::container::EngineError;
use crate::engine::container::claims::Claim;
use crate::engine::container::handle::Shared;
use crate::engine::container::name::SHORT;
use crate::engine::network::{DEFAULT_NETWORK, NetworkMode};
use crate::engine::spec;

/// What was found out.
pub(in crate::engine::container) struct Completed {
    /// The image by digest.
    pub(in crate::engine::container) image: Option<String>,
    pub(in crate::engine::container) mounts: Vec<Bound>,
    pub(in crate::engine::container) warnings: Vec<String>,
}

impl Parts {
    /// Refuses what cannot be had, and completes what is not said. Makes volumes.
    pub(in crate::engine::container) fn complete(
        &self,
        shared: &Shared,
        claim: &Claim<'_>,
        body: &mut ContainerCreateBody,
    ) -> Result<Completed, EngineError> {
        spec::validate(body)?;
        let host = body.host_config.get_or_insert_default();
        let rootfs = host.annotations.as_ref().and_then(|all| all.get(ROOTFS));
        let mut image = None;
        if let Some(path) = rootfs {
            if !Path::new(path).is_dir() {
                let text = format!("the root file system {path} is no directory");
                return Err(EngineError::Invalid(text));
            }
        } else {
            let name = body.image.clone().unwrap_or_default();
            if name.is_empty() {
                return Err(EngineError::Invalid("no image specified".to_owned()));
            }
            let digest = self.images.resolve(&name)?;
            claim.image(&digest);
            image::merge(body, self.images.image(&digest)?.config());
            image = Some(digest.to_string());
        }
        spec::command(body, None)?;
        if body.network_disabled == Some(true) {
            let host = body.host_config.get_or_insert_default();
            host.network_mode = Some(NetworkMode::None.to_string());
        }
        refuse_address_without_network(body)?;
        self.name_networks(body);
        shared.identify_joined(body.host_config.get_or_insert_default())?;
        let host = body.host_config.clone().unwrap_or_default();
        let mode = mode_of(host.network_mode.as_deref());
        if let NetworkMode::Named(name) = &mode {
            let found = self.networks.inspect(name).map(drop);
            found.map_err(|error| EngineError::from(error).of_a_wish())?;
        }
        if body.hostname.as_deref().is_none_or(str::is_empty) {
            body.hostname = match mode {
                NetworkMode::Host => Some(host_name()),
                NetworkMode::Container(ref other) => shared
                    .registry
                    .resolve(other)?
                    .settings()
                    .body
                    .hostname
                    .clone(),
                NetworkMode::None | NetworkMode::Named(_) => {
                    Some(claim.id().as_str().chars().take(SHORT).collect())
                }
            };
        }
        let mut warnings = spec::foresee(body, &self.layout)?;
        let publishes = host.publish_all_ports == Some(true)
            || host
                .port_bindings
                .as_ref()
                .is_some_and(|all| !all.is_empty());
        if mode == NetworkMode::Host && publishes {
            warnings.push("Published ports are discarded when using host network mode".to_owned());
        }
        if let NetworkMode::Named(network) = &mode {
            warnings.extend(self.networks.warnings(network));
        }
        let anonymous = body.volumes.clone().unwrap_or_default();
        let mounts = self.bounds(shared, claim, &host, &anonymous)?;
        Ok(Completed {
            image,
            mounts,
            warnings,
        })
    }
}

pub(super) fn mode_of(words: Option<&str>) -> NetworkMode {
    match words.unwrap_or(DEFAULT_NETWORK).parse() {
        Ok(mode) => mode,
        Err(never) => match never {},
    }
}

pub(super) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
