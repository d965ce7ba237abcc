//! Making everything ready for a start: root filesystem, files, specification.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bollard::models::ExecConfig;
use libcontainer::oci_spec::image::ImageConfiguration;
use libcontainer::oci_spec::runtime::{Process, Spec};

use super::{Parts, Root};
use crate::engine::container::EngineError;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::{ContainerDir, Durability, Settings, write};
use crate::engine::rootfs::UserRange;
use crate::engine::spec;

const CONFIG: &str = "config.json";
/// No container's id has it.
const SEPARATOR: char = '.';
/// `hostname`, `hosts`, `resolv.conf`.
const NAME_FILES: usize = 3;

/// Descriptors that have to stay open until the workload is made.
#[derive(Debug, Default)]
pub(in crate::engine::container) struct Pins(pub(super) Vec<File>);

impl Parts {
    /// Mounts the root filesystem, writes its files and the bundle.
    pub(in crate::engine::container) fn prepare(
        &self,
        shared: &Shared,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<Pins, EngineError> {
        let mut pins = Pins::default();
        let bundle = dir.bundle();
        fs::create_dir_all(bundle).map_err(EngineError::io("make", bundle))?;
        let users = spec::user_range(&settings.body)?;
        // Ours to change before it is its users'.
        let rootfs = self.mount(settings, dir, None, users.is_some())?;
        let files = self.write_files(shared, settings, dir)?;
        let mut join = shared.joined(settings, &mut pins)?;
        join.shm = self.mount_shared_memory(shared, settings, users)?;
        let mounts = self.resolve(&settings.mounts)?;
        let (mut spec, warnings) = spec::build(&spec::Parts {
            id: settings.id.as_str(),
            body: &settings.body,
            // Merged when it was created.
            image: None::<&ImageConfiguration>,
            rootfs: &rootfs,
            hostname: settings.body.hostname.as_deref().unwrap_or_default(),
            files: &files,
            mounts: &mounts,
            join: &join,
            cgroup_path: &settings.cgroup,
            layout: &self.layout,
            terminal_size: terminal_size(settings),
        })?;
        let mut sources = spec.mounts().iter().flatten().map(|mount| mount.source());
        if join.shm.is_some() && !sources.any(|source| *source == join.shm) {
            // The user's own is mounted there, which nobody else gets.
            self.unmount_shared_memory(settings)?;
        }
        for warning in warnings {
            tracing::warn!(container = %settings.id, warning, "not as asked for");
        }
        if let Some(users) = users {
            self.mount(settings, dir, Some(users), true)?;
            self.give(settings, &files, users, &mut spec)?;
        }
        let file = bundle.join(CONFIG);
        write(&file, &spec, Durability::Agent).map_err(EngineError::io("write", &file))?;
        Ok(pins)
    }

    /// `moved`: a directory that is used directly is mounted where others are, too.
    fn mount(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
        users: Option<UserRange>,
        moved: bool,
    ) -> Result<PathBuf, EngineError> {
        let name = settings.id.as_str();
        match self.root(settings, dir.path())? {
            Root::Direct(path) if moved => Ok(self.mounts.bind(name, &path, users)?),
            Root::Direct(path) => Ok(path),
            Root::Layers(overlay) => Ok(self.mounts.mount(name, &overlay, users)?),
        }
    }

    /// Lets volumes and the files by which it knows names belong to a container's own users; binds of the host's
    /// are as they are.
    fn give(
        &self,
        settings: &Settings,
        files: &spec::Files,
        users: UserRange,
        spec: &mut Spec,
    ) -> Result<(), EngineError> {
        let volumes = settings.mounts.iter().map(|bound| bound.name.as_deref());
        let volumes = volumes.flatten().map(|name| self.volumes.path(name));
        let mut given = volumes.collect::<Result<Vec<_>, _>>()?;
        given.extend(files.hostname.iter().cloned());
        given.extend(files.hosts.iter().cloned());
        given.extend(files.resolv_conf.iter().cloned());
        for (number, path) in given.iter().enumerate() {
            let target = self
                .mounts
                .bind(&part(settings, number), path, Some(users))?;
            for mount in spec.mounts_mut().iter_mut().flatten() {
                if mount.source().as_ref() == Some(path) {
                    mount.set_source(Some(target.clone()));
                }
            }
        }
        Ok(())
    }

    /// Takes the root filesystem down, and what was mounted beside it.
    pub(super) fn unmount(&self, settings: &Settings) -> Result<(), EngineError> {
        self.mounts.unmount(settings.id.as_str())?;
        self.unmount_shared_memory(settings)?;
        if spec::user_range(&settings.body)?.is_some() {
            for number in 0..settings.mounts.len() + NAME_FILES {
                self.mounts.unmount(&part(settings, number))?;
            }
        }
        Ok(())
    }

    /// The process that `exec` asks for, in a container whose bundle this is.
    pub(in crate::engine::container) fn exec_process(
        &self,
        bundle: &Path,
        config: &ExecConfig,
        size: Option<(u16, u16)>,
    ) -> Result<Process, EngineError> {
        let file = bundle.join(CONFIG);
        let text = fs::read(&file).map_err(EngineError::io("read", &file))?;
        let container: Spec = serde_json::from_slice(&text)
            .map_err(|error| EngineError::io("read", &file)(error.into()))?;
        let root = container.root().as_ref().map(|root| root.path().clone());
        let mut config = config.clone();
        if let Some((rows, columns)) = size {
            config.console_size = Some(vec![rows.into(), columns.into()]);
        }
        Ok(spec::exec_process(
            &config,
            &container,
            &root.unwrap_or_default(),
        )?)
    }
}

/// The name of something that is mounted beside a container's root filesystem.
pub(super) fn part(settings: &Settings, what: impl Display) -> String {
    format!("{}{SEPARATOR}{what}", settings.id)
}

/// Whose mount of that name is.
pub(super) fn owner_of(name: &str) -> &str {
    name.split(SEPARATOR).next().unwrap_or(name)
}

fn terminal_size(settings: &Settings) -> Option<(u16, u16)> {
    let size = settings.host()?.console_size.as_deref()?;
    let [rows, columns] = size else { return None };
    let size = (u16::try_from(*rows).ok()?, u16::try_from(*columns).ok()?);
    (size != (0, 0)).then_some(size)
}
