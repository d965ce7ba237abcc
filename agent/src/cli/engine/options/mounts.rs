//! What a container has in its file system besides the image: `-v`, `--mount`, `--tmpfs`, `--rootfs`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig, Mount};
use clap::Args;

use super::super::super::failure::{Exit, Failure};
use super::mount;

/// Of files.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Files")]
pub(in super::super) struct FileArgs {
    /// Volume or directory of the host; with the container's path alone, a new volume
    #[arg(short, long, value_name = "[SOURCE:]TARGET[:OPTIONS]", value_parser = volume)]
    volume: Vec<String>,
    /// The same in words: type=bind|volume|tmpfs,source=…,target=…[,readonly]…
    #[arg(long, value_name = "OPTIONS", value_parser = mount::parse)]
    mount: Vec<Mount>,
    /// What another container has mounted from the host, at the same places
    #[arg(long, value_name = "CONTAINER[:ro|rw]")]
    volumes_from: Vec<String>,
    /// Empty directory in memory
    #[arg(long, value_name = "DIR[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Make the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Directory as root file system instead of an image: changes go on top of it, with `:rw` into it
    #[arg(long, value_name = "DIR[:rw]")]
    pub(in super::super) rootfs: Option<String>,
}

/// Where an annotation says which directory is the root file system, and how.
const ROOTFS: &str = "plimsoll.rootfs";
const ROOTFS_MODE: &str = "plimsoll.rootfs-mode";

impl FileArgs {
    pub(super) fn apply(
        self,
        body: &mut ContainerCreateBody,
        host: &mut HostConfig,
        annotations: &mut HashMap<String, String>,
    ) -> Result<(), Failure> {
        let (binds, volumes): (Vec<_>, Vec<_>) = self
            .volume
            .into_iter()
            .partition(|volume| volume.contains(':'));
        let binds = binds.into_iter().map(|bind| from_here(&bind));
        let binds = binds.collect::<Result<Vec<_>, _>>()?;
        host.binds = (!binds.is_empty()).then_some(binds);
        body.volumes = (!volumes.is_empty()).then_some(volumes);
        host.volumes_from = (!self.volumes_from.is_empty()).then_some(self.volumes_from);
        host.mounts = (!self.mount.is_empty()).then_some(self.mount);
        let tmpfs = self.tmpfs.iter().map(|tmpfs| {
            let (dir, options) = tmpfs.split_once(':').unwrap_or((tmpfs, ""));
            (dir.to_owned(), options.to_owned())
        });
        host.tmpfs = (!self.tmpfs.is_empty()).then(|| tmpfs.collect());
        host.readonly_rootfs = self.read_only.then_some(true);
        if let Some(rootfs) = self.rootfs {
            let (dir, mode) = match rootfs.strip_suffix(":rw") {
                Some(dir) => (dir, "direct"),
                None => (rootfs.as_str(), "overlay"),
            };
            annotations.insert(ROOTFS.into(), absolute(dir)?);
            annotations.insert(ROOTFS_MODE.into(), mode.into());
        }
        Ok(())
    }
}

fn volume(text: &str) -> Result<String, String> {
    if text.split(':').any(str::is_empty) {
        return Err(format!(
            "invalid spec: {text}: empty section between colons"
        ));
    }
    Ok(text.to_owned())
}

/// A bind whose source is a path of this process's directory.
fn from_here(bind: &str) -> Result<String, Failure> {
    match bind.split_once(':') {
        Some((source, rest)) if source.starts_with('.') => {
            Ok(format!("{}:{rest}", absolute(source)?))
        }
        _ => Ok(bind.to_owned()),
    }
}

fn absolute(path: &str) -> Result<String, Failure> {
    let failure =
        |error: &dyn std::fmt::Display| Failure::new(Exit::NotRun, format!("{path}: {error}"));
    let absolute = std::path::absolute(path).map_err(|error| failure(&error))?;
    let clean: PathBuf = clean(&absolute);
    let text = clean.into_os_string().into_string();
    text.map_err(|_| failure(&"the path is no text"))
}

/// Without `.` and `..`, by the letters as Docker does it.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}
