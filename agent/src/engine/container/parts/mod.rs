//! Everything that the life of a container takes from the engine's other parts: images, root filesystems,
//! volumes, networks, specifications. What they refuse is told in their own words.

mod bound;
mod complete;
mod connect;
mod error;
mod files;
mod image;
mod joined;
mod names;
mod network;
mod normalise;
mod prepare;
mod size;
mod update;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::models::{ContainerCreateBody, HostConfig};

pub(super) use bound::Bound;
pub(super) use joined::joins;

use super::EngineError;
use super::damaged::{is_damaged, require_whole};
use super::events::Events;
use super::handle::Shared;
use super::model::Settings;
use super::name::SHORT;
use crate::cgroup::Layout;
use crate::config::EngineConfig;
use crate::engine::image::{ImageId, Store, User};
use crate::engine::network::Networks;
use crate::engine::rootfs::{Mounts, Overlay, make_points};
use crate::engine::spec;
use crate::engine::volume::Volumes;
use crate::launch::Id;

/// A directory of the host's that is the root filesystem.
pub(super) const ROOTFS: &str = "plimsoll.rootfs";
/// `overlay`: what is written goes elsewhere; `direct`: it goes there.
const ROOTFS_MODE: &str = "plimsoll.rootfs-mode";
const DIRECT: &str = "direct";

/// The engine's other parts.
pub(super) struct Parts {
    pub(super) images: Arc<Store>,
    pub(super) volumes: Arc<Volumes>,
    pub(super) networks: Arc<Networks>,
    mounts: Mounts,
    /// The lowest layer of all root filesystems.
    points: PathBuf,
    layout: Layout,
    events: Events,
}

/// Where a container's root filesystem comes from.
enum Root {
    Direct(PathBuf),
    Layers(Overlay),
}

impl Parts {
    /// The mount that is there for others to be mounted in, if there are none.
    pub(super) fn give_back_mounts(&self) -> Result<(), EngineError> {
        Ok(self.mounts.give_back()?)
    }

    pub(super) fn open(
        config: &EngineConfig,
        layout: Layout,
        events: Events,
    ) -> Result<Self, EngineError> {
        let data = &config.data_dir;
        let points = data.join("points");
        make_points(&points)?;
        Ok(Self {
            images: Arc::new(Store::open(&data.join("images"))?),
            volumes: Arc::new(Volumes::open(&data.join("volumes"))?),
            networks: Arc::new(Networks::open(&data.join("networks"))?),
            mounts: Mounts::open(&config.run_dir.join("rootfs"))?,
            points,
            layout,
            events,
        })
    }

    /// What is run, for those who look.
    pub(super) fn command(&self, body: &ContainerCreateBody) -> Vec<String> {
        // Nothing, where the image is to say it and is not here any more.
        spec::command(body, None).unwrap_or_default()
    }

    /// Has a configuration say what holds where it says nothing.
    pub(super) fn show_defaults(&self, host: &mut HostConfig) {
        spec::show_defaults(host, &self.layout);
    }

    fn root(&self, settings: &Settings, dir: &Path) -> Result<Root, EngineError> {
        require_whole(settings)?;
        let annotations = settings.host().and_then(|host| host.annotations.as_ref());
        let said = |key: &str| annotations.and_then(|all| all.get(key)).map(String::as_str);
        let layers = match (said(ROOTFS), &settings.image) {
            (Some(path), _) if said(ROOTFS_MODE) == Some(DIRECT) => {
                return Ok(Root::Direct(path.into()));
            }
            (Some(path), _) => vec![path.into()],
            (None, Some(image)) => self.images.layers(&self.images.resolve(image)?)?,
            (None, None) => return Err(EngineError::Invalid("no image".to_owned())),
        };
        Ok(Root::Layers(Overlay {
            lower: std::iter::once(self.points.clone()).chain(layers).collect(),
            upper: dir.join("upper"),
            work: dir.join("work"),
            // Of one that goes with its exit nothing is kept.
            volatile: settings.is_removed_at_exit(),
        }))
    }

    /// Takes a container that has ended from its networks, and its root filesystem down.
    pub(super) fn release(&self, settings: &Settings) {
        self.disconnect(settings);
        if let Err(error) = self.unmount(settings) {
            tracing::warn!(container = %settings.id, error = error.with_causes(), "root filesystem left mounted");
        }
    }

    /// Removes what is a removed container's alone. `users` of a volume: by `--volumes-from` others may have it.
    pub(super) fn discard(&self, bounds: &[Bound], users: &dyn Fn(&str) -> Vec<String>) {
        for bound in bounds.iter().filter(|bound| bound.anonymous) {
            let Some(name) = &bound.name else { continue };
            match self.volumes.remove(name, false, users) {
                Ok(()) => self.events.volume("destroy", name),
                Err(error) => tracing::debug!(volume = name, %error, "volume kept"),
            }
        }
    }

    /// Takes down what is left of containers that do not run.
    pub(super) fn reap(&self, running: &[Id]) {
        let keep = |name: &str| {
            running
                .iter()
                .any(|id| id.as_str() == prepare::owner_of(name))
        };
        match self.mounts.reap(&keep) {
            Ok(names) if names.is_empty() => {}
            Ok(names) => tracing::info!(
                ?names,
                "root filesystems of containers that ended unmounted"
            ),
            Err(error) => tracing::warn!(%error, "root filesystems left mounted"),
        }
        let live = running.iter().map(ToString::to_string).collect();
        match self.networks.reap(&live) {
            Ok(reaped) if reaped == Default::default() => {}
            Ok(reaped) => tracing::info!(?reaped, "what was left of networks taken down"),
            Err(error) => tracing::warn!(%error, "leftovers of networks stay"),
        }
    }
}

impl Shared {
    /// Ids of containers that have a volume, are about to, or may have.
    pub(super) fn users_of_volume(&self, name: &str) -> Vec<String> {
        // Before the list, which they get into from here.
        let mut users = self.claims.of_volume(name);
        let cells = self.registry.all().into_iter();
        let have = cells.filter(|cell| {
            let settings = cell.settings();
            let mut mounts = settings.mounts.iter();
            is_damaged(&settings) || mounts.any(|bound| bound.name.as_deref() == Some(name))
        });
        users.extend(have.map(|cell| cell.id.clone()));
        users.sort();
        users.dedup();
        users.iter().map(ToString::to_string).collect()
    }

    /// As [`users_of_volume`](Self::users_of_volume), without this container.
    pub(super) fn other_users_of_volume(&self, id: &Id) -> impl Fn(&str) -> Vec<String> {
        move |name| {
            let mut users = self.users_of_volume(name);
            users.retain(|user| *user != id.as_str());
            users
        }
    }

    /// A container of an image; one that runs, if there is one. One that is about to be, or may be, is one.
    pub(super) fn user_of_image(&self, image: &ImageId) -> Option<User> {
        let user = |id: &Id, running| User {
            container: id.as_str().chars().take(SHORT).collect(),
            running,
        };
        let digest = image.to_string();
        // Before the list, as above.
        let claims = self.claims.of_image(image);
        let claims = claims.iter().map(|id| user(id, false));
        let cells = self.registry.all().into_iter();
        let have = cells.filter(|cell| {
            let settings = cell.settings();
            is_damaged(&settings) || settings.image.as_deref() == Some(&digest)
        });
        let have = have.map(|cell| user(&cell.id, cell.record().life.is_active()));
        claims.chain(have).max_by_key(|user| user.running)
    }
}
