//! What a specification is made of.

use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig};
use libcontainer::oci_spec::image::ImageConfiguration;

use crate::cgroup::Layout;

/// A container's configuration, and what the engine made ready for it.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    pub id: &'a str,
    pub body: &'a ContainerCreateBody,
    /// `None`: it runs in a directory of the host's.
    pub image: Option<&'a ImageConfiguration>,
    /// Mounted already; users are looked up and the working directory is made in it.
    pub rootfs: &'a Path,
    pub hostname: &'a str,
    pub files: &'a Files,
    /// Volumes and binds, in any order.
    pub mounts: &'a [ResolvedMount],
    pub join: &'a Joined,
    /// As `linux.cgroupsPath` has it.
    pub cgroup_path: &'a str,
    pub layout: &'a Layout,
    /// Rows and columns.
    pub terminal_size: Option<(u16, u16)>,
}

/// Files of the engine's that are mounted over the image's in `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    pub resolv_conf: Option<PathBuf>,
    pub hosts: Option<PathBuf>,
    pub hostname: Option<PathBuf>,
}

/// A directory or file of the host's, to be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedMount {
    pub source: PathBuf,
    pub target: PathBuf,
    /// As the OCI specification has them: `rbind`, `ro`, `rslave`. A bind whether they say so or not.
    pub options: Vec<String>,
}

/// Namespaces of other containers (`/proc/PID/ns/…`) or made by the engine, to be entered instead of
/// having one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    pub network: Option<PathBuf>,
    pub ipc: Option<PathBuf>,
    /// The `/dev/shm` that is shared, mounted on the host.
    pub shm: Option<PathBuf>,
    pub pid: Option<PathBuf>,
    pub uts: Option<PathBuf>,
}

impl<'a> Parts<'a> {
    /// An annotation of the configuration.
    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        let annotations = self.body.host_config.as_ref()?.annotations.as_ref()?;
        annotations.get(key).map(String::as_str)
    }

    /// The host's part of the configuration, with nothing in it where there is none.
    pub(super) fn host(&self) -> HostConfig {
        self.body.host_config.clone().unwrap_or_default()
    }
}
