//! Making everything ready for a start: root filesystem, files, specification.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bollard::models::ExecConfig;
use libcontainer::oci_spec::image::ImageConfiguration;
use libcontainer::oci_spec::runtime::{Process, Spec};

use super::{Parts, Root};
use crate::engine::container::EngineError;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::{ContainerDir, Durability, Settings, write};
use crate::engine::spec;

const CONFIG: &str = "config.json";

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
        bundle: &Path,
    ) -> Result<Pins, EngineError> {
        let mut pins = Pins::default();
        let rootfs = self.mount(settings, dir)?;
        self.populate(&settings.mounts, &rootfs)?;
        let files = self.write_files(shared, settings, dir)?;
        let join = shared.joined(settings, &mut pins)?;
        let mounts = self.resolve(&settings.mounts)?;
        let (spec, warnings) = spec::build(&spec::Parts {
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
        for warning in warnings {
            tracing::warn!(container = %settings.id, warning, "not as asked for");
        }
        fs::create_dir_all(bundle).map_err(EngineError::io("make", bundle))?;
        let file = bundle.join(CONFIG);
        write(&file, &spec, Durability::Agent).map_err(EngineError::io("write", &file))?;
        Ok(pins)
    }

    fn mount(&self, settings: &Settings, dir: &ContainerDir) -> Result<PathBuf, EngineError> {
        match self.root(settings, dir.path())? {
            Root::Direct(path) => Ok(path),
            Root::Layers(overlay) => Ok(self.mounts.mount(settings.id.as_str(), &overlay)?),
        }
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

fn terminal_size(settings: &Settings) -> Option<(u16, u16)> {
    let size = settings.host()?.console_size.as_deref()?;
    let [rows, columns] = size else { return None };
    let size = (u16::try_from(*rows).ok()?, u16::try_from(*columns).ok()?);
    (size != (0, 0)).then_some(size)
}
