//! Binds and volumes of a container: found when it is created, the same at every start.

use std::fs;
use std::path::{Path, PathBuf};

use bollard::models::{HostConfig, Mount, MountPoint, MountType, VolumeCreateRequest};
use serde::{Deserialize, Serialize};

use super::Parts;
use crate::engine::container::EngineError;
use crate::engine::container::claims::Claim;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::{ContainerDir, Settings};
use crate::engine::rootfs::{Inside, Over};
use crate::engine::spec::ResolvedMount;
use crate::engine::volume::{ANONYMOUS, VolumeName};

/// What is mounted at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine::container) struct Bound {
    /// Of a volume.
    pub(in crate::engine::container) name: Option<String>,
    /// Of a bind.
    source: PathBuf,
    target: PathBuf,
    writable: bool,
    /// `rslave` and the like; empty: `rprivate`.
    propagation: String,
    recursive: bool,
    /// As it was said after the second colon.
    mode: String,
    /// A volume that nobody named: it goes with the container.
    pub(in crate::engine::container) anonymous: bool,
    /// A volume that gets what the image has at its place when the container is created.
    fills: bool,
    /// A bind whose directory is made if it is missing.
    makes: bool,
}

impl Bound {
    /// Whether a path is on it.
    pub(super) fn has(&self, path: &Path) -> bool {
        path.starts_with(&self.target)
    }

    /// How deep it is: of two at a path, the deeper one is seen.
    pub(super) fn depth(&self) -> usize {
        self.target.components().count()
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether it is what `ps` is asked for: a volume's name, a bind's source, or where it is.
    pub(in crate::engine::container) fn is_called(&self, wanted: &str) -> bool {
        let own = match &self.name {
            Some(name) => name == wanted,
            None => self.source == Path::new(wanted),
        };
        own || self.target == Path::new(wanted)
    }

    /// As the event has it that a volume is mounted.
    pub(in crate::engine::container) fn described(&self) -> [(String, String); 3] {
        [
            ("destination", self.target.display().to_string()),
            ("read/write", self.writable.to_string()),
            ("propagation", String::new()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

impl Parts {
    /// All of a container, with volumes that are made now; those are given back if that fails.
    pub(super) fn bounds(
        &self,
        shared: &Shared,
        claim: &Claim<'_>,
        host: &HostConfig,
        anonymous: &[String],
    ) -> Result<Vec<Bound>, EngineError> {
        let mut bounds = Vec::new();
        let added = self.add_bounds(shared, claim, host, anonymous, &mut bounds);
        if let Err(error) = added {
            self.discard(&bounds, &shared.other_users_of_volume(claim.id()));
            return Err(error);
        }
        Ok(bounds)
    }

    fn add_bounds(
        &self,
        shared: &Shared,
        claim: &Claim<'_>,
        host: &HostConfig,
        anonymous: &[String],
        bounds: &mut Vec<Bound>,
    ) -> Result<(), EngineError> {
        for words in host.binds.iter().flatten() {
            let bound = Bound::of_words(words);
            self.make_volume(claim, &bound, None)?;
            bounds.push(bound);
        }
        for mount in host.mounts.iter().flatten() {
            let Some(bound) = Bound::of_mount(mount)? else {
                continue;
            };
            self.make_volume(claim, &bound, Some(mount))?;
            bounds.push(bound);
        }
        for words in host.volumes_from.iter().flatten() {
            let (name, mode) = words.split_once(':').unwrap_or((words, "rw"));
            let theirs = shared.registry.resolve(name)?.settings();
            for bound in &theirs.mounts {
                if !bounds.iter().any(|own| own.target == bound.target) {
                    if let Some(name) = &bound.name {
                        claim.volume(name);
                        self.volumes.require(name)?;
                    }
                    let bound = Bound {
                        writable: bound.writable && mode != "ro",
                        // By the image of the container that it is of.
                        fills: false,
                        ..bound.clone()
                    };
                    bounds.push(bound);
                }
            }
        }
        let tmpfs = |target: &Path| {
            let named = host.tmpfs.iter().flatten();
            let mut mounts = host.mounts.iter().flatten();
            named.into_iter().any(|(path, _)| Path::new(path) == target)
                || mounts.any(|mount| mount.target.as_deref().map(Path::new) == Some(target))
        };
        for target in anonymous {
            let target = PathBuf::from(target);
            if tmpfs(&target) || bounds.iter().any(|bound| bound.target == target) {
                continue;
            }
            let bound = Bound::anonymous(target);
            self.make_volume(claim, &bound, None)?;
            bounds.push(bound);
        }
        Ok(())
    }

    fn make_volume(
        &self,
        claim: &Claim<'_>,
        bound: &Bound,
        mount: Option<&Mount>,
    ) -> Result<(), EngineError> {
        let Some(name) = &bound.name else {
            return Ok(());
        };
        claim.volume(name);
        if !bound.anonymous && self.volumes.require(name).is_ok() {
            return Ok(());
        }
        let options = mount.and_then(|mount| mount.volume_options.as_ref());
        let driver = options.and_then(|options| options.driver_config.as_ref());
        let mut labels = options.and_then(|options| options.labels.clone());
        if bound.anonymous {
            let labels = labels.get_or_insert_default();
            labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        self.volumes.create(&VolumeCreateRequest {
            name: Some(name.clone()),
            labels,
            driver: driver.and_then(|driver| driver.name.clone()),
            driver_opts: driver.and_then(|driver| driver.options.clone()),
            ..VolumeCreateRequest::default()
        })?;
        self.events.volume("create", name);
        Ok(())
    }

    /// As they are mounted now; directories of binds are made.
    pub(super) fn resolve(&self, bounds: &[Bound]) -> Result<Vec<ResolvedMount>, EngineError> {
        bounds.iter().map(|bound| self.resolve_one(bound)).collect()
    }

    fn resolve_one(&self, bound: &Bound) -> Result<ResolvedMount, EngineError> {
        let source = match &bound.name {
            Some(name) => self.volumes.path(name)?,
            None => bound.source.clone(),
        };
        if bound.name.is_none() && !source.exists() {
            if !bound.makes {
                return Err(missing(&source));
            }
            fs::create_dir_all(&source).map_err(EngineError::io("make", &source))?;
        }
        let mut options = vec![if bound.recursive { "rbind" } else { "bind" }.to_owned()];
        options.push(if bound.writable { "rw" } else { "ro" }.to_owned());
        if !bound.propagation.is_empty() {
            options.push(bound.propagation.clone());
        }
        Ok(ResolvedMount {
            source,
            target: bound.target.clone(),
            options,
        })
    }

    /// Gives empty volumes what the image has at their places: once, when a container is created. One that is
    /// emptied later stays empty.
    pub(in crate::engine::container) fn fill(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<(), EngineError> {
        let mut image = None;
        for bound in settings.mounts.iter().filter(|bound| bound.fills) {
            let Some(name) = &bound.name else { continue };
            if !self.volumes.is_empty(name)? {
                continue;
            }
            let image = match &mut image {
                Some(image) => image,
                none => none.insert(self.at_rest(settings, dir)?),
            };
            self.volumes.populate(name, image, &bound.target)?;
        }
        Ok(())
    }

    /// Mounts all over the root filesystem of a container that does not run, as a start would.
    pub(super) fn cover(&self, bounds: &[Bound], inside: &Inside) -> Result<(), EngineError> {
        let mut bounds: Vec<_> = bounds.iter().collect();
        bounds.sort_by_key(|bound| bound.depth());
        for bound in bounds {
            inside.cover(&Over {
                source: self.resolve_one(bound)?.source,
                target: bound.target.clone(),
                writable: bound.writable,
                recursive: bound.recursive,
            })?;
        }
        Ok(())
    }

    /// As `inspect` shows them.
    pub(in crate::engine::container) fn mount_points(&self, bounds: &[Bound]) -> Vec<MountPoint> {
        let point = |bound: &Bound| {
            let volume = bound.name.as_deref();
            let path = volume.and_then(|name| self.volumes.path(name).ok());
            let source = path.as_ref().unwrap_or(&bound.source);
            MountPoint {
                typ: Some(if volume.is_some() { "volume" } else { "bind" }.to_owned()),
                name: bound.name.clone(),
                source: Some(source.display().to_string()),
                destination: Some(bound.target.display().to_string()),
                driver: volume.map(|_| "local".to_owned()),
                mode: Some(bound.mode.clone()),
                rw: Some(bound.writable),
                propagation: Some(match (volume, bound.propagation.as_str()) {
                    (Some(_), _) => String::new(),
                    (None, "") => "rprivate".to_owned(),
                    (None, propagation) => propagation.to_owned(),
                }),
            }
        };
        bounds.iter().map(point).collect()
    }
}

impl Bound {
    /// `SOURCE:TARGET[:MODE]`, checked already.
    pub(in crate::engine::container) fn of_words(words: &str) -> Self {
        let mut words = words.splitn(3, ':');
        let mut word = || words.next().unwrap_or_default();
        let (source, target, mode) = (word(), word(), word());
        let has = |option: &str| mode.split(',').any(|word| word == option);
        let propagations = [
            "private", "rprivate", "slave", "rslave", "shared", "rshared",
        ];
        let propagation = propagations.into_iter().find(|option| has(option));
        let is_path = source.starts_with('/');
        Self {
            name: (!is_path).then(|| source.to_owned()),
            source: if is_path {
                source.into()
            } else {
                PathBuf::new()
            },
            target: target.into(),
            writable: !has("ro"),
            propagation: propagation.unwrap_or_default().to_owned(),
            recursive: true,
            mode: mode.to_owned(),
            anonymous: false,
            fills: !is_path && !has("nocopy"),
            makes: is_path,
        }
    }

    /// `None`: it is none of the host's.
    fn of_mount(mount: &Mount) -> Result<Option<Self>, EngineError> {
        let target: PathBuf = mount.target.clone().unwrap_or_default().into();
        let source = mount.source.clone().filter(|source| !source.is_empty());
        let bound = Self {
            target,
            writable: mount.read_only != Some(true),
            recursive: true,
            ..Self::default()
        };
        match mount.typ.unwrap_or(MountType::VOLUME) {
            MountType::BIND => {
                let options = mount.bind_options.as_ref();
                let source: PathBuf = source.unwrap_or_default().into();
                let makes = options.and_then(|options| options.create_mountpoint) == Some(true);
                if !makes && !source.exists() {
                    return Err(missing(&source));
                }
                let propagation = options.and_then(|options| options.propagation);
                Ok(Some(Self {
                    source,
                    makes,
                    propagation: propagation.map(|one| one.to_string()).unwrap_or_default(),
                    recursive: options.and_then(|options| options.non_recursive) != Some(true),
                    ..bound
                }))
            }
            MountType::VOLUME => {
                let no_copy = mount
                    .volume_options
                    .as_ref()
                    .and_then(|options| options.no_copy);
                let anonymous = source.is_none();
                let name = source.unwrap_or_else(|| VolumeName::anonymous().as_str().to_owned());
                Ok(Some(Self {
                    name: Some(name),
                    mode: "z".to_owned(),
                    anonymous,
                    fills: no_copy != Some(true),
                    ..bound
                }))
            }
            MountType::TMPFS | MountType::CLUSTER | MountType::IMAGE | MountType::NPIPE => Ok(None),
        }
    }

    fn anonymous(target: PathBuf) -> Self {
        Self {
            name: Some(VolumeName::anonymous().as_str().to_owned()),
            target,
            writable: true,
            recursive: true,
            anonymous: true,
            fills: true,
            ..Self::default()
        }
    }
}

fn missing(source: &Path) -> EngineError {
    EngineError::Invalid(format!(
        "invalid mount config for type \"bind\": bind source path does not exist: {}",
        source.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_binds_or_volumes() {
        let bind = Bound::of_words("/a:/b:ro,rslave");
        assert_eq!(
            (bind.source.as_path(), bind.target.as_path()),
            (Path::new("/a"), Path::new("/b"))
        );
        assert_eq!((bind.name, bind.writable, bind.fills), (None, false, false));
        assert_eq!(bind.propagation, "rslave");
        let volume = Bound::of_words("data:/b");
        assert_eq!(volume.name.as_deref(), Some("data"));
        assert!(volume.writable && volume.fills && !volume.anonymous);
        assert!(!Bound::of_words("data:/b:nocopy").fills);
    }
}
