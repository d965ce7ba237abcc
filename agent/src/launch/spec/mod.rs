//! The OCI specification, made one that this host can carry out and that is safe to carry out.
//!
//! In: a bundle. Out: a [`Vetted`] specification and what had to give. What would fail obscurely
//! later, be silently left out or open a hole is refused here, by name.

mod cgroup_mount;
mod devices;
mod home;
mod limits;
mod mounts;
mod privileges;
mod seccomp;
mod warning;

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{Linux, LinuxNamespaceType, Process, Spec};

use super::Id;
use super::cgroups::Cgroups;
use crate::cgroup::Mode;

pub(super) use cgroup_mount::is_cgroup_mount;
pub(super) use devices::Devices;
#[cfg(test)]
pub(super) use devices::{Exception, MKNOD, READ, WRITE};
pub use limits::LimitError;
pub(super) use limits::{Besides, prepare as prepare_limits};
use privileges::Held;
pub use privileges::foresee;
pub(super) use privileges::no_capabilities;
pub(super) use seccomp::swap_masks;
pub use warning::Warning;

/// Parent of the cgroups of workloads whose specification names none.
const DEFAULT_PARENT: &str = "/plimsoll";

/// Why a specification is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    #[error("cannot read the specification {path}", path = path.display())]
    Read { path: PathBuf, source: OciSpecError },
    #[error("the specification has no {0}")]
    Missing(&'static str),
    #[error("{path} is no root file system", path = path.display())]
    Root {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "refused: {path} of the root file system is {found}, which would lead mounts astray; it has \
         to be a directory, or absent", path = path.display()
    )]
    Trap { path: PathBuf, found: &'static str },
    #[error("refused: a mount at /, over the root file system")]
    RootMount,
    #[error(
        "refused: a {kind} mount at /dev: device files and links would be made in what is mounted \
         there; mount single devices instead"
    )]
    DevMount { kind: String },
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(
        "refused: systemd's form of a cgroup path, {0:?}; systemd's cgroup driver is not supported"
    )]
    SystemdPath(String),
    #[error(
        "refused: its seccomp profile notifies a listener, which is not supported for processes that \
         join"
    )]
    SeccompNotify,
    #[error("capabilities cannot be read")]
    Capabilities { source: std::io::Error },
}

/// A specification that can be carried out.
#[derive(Debug)]
pub(super) struct Vetted {
    pub(super) spec: Spec,
    pub(super) warnings: Vec<Warning>,
    /// It had a cgroup mount, which is to be made later.
    pub(super) lacks_view: bool,
}

/// Reads a bundle's specification.
pub(super) fn load(bundle: &Path) -> Result<Spec, SpecError> {
    let path = bundle.join("config.json");
    Spec::load(&path).map_err(|source| SpecError::Read { path, source })
}

/// The cgroup that the specification names, or the default one.
pub(super) fn cgroup_path(spec: &Spec, id: &Id) -> Result<String, SpecError> {
    let linux = spec.linux().as_ref().ok_or(SpecError::Missing("linux"))?;
    let Some(path) = linux.cgroups_path() else {
        return Ok(format!("{DEFAULT_PARENT}/{id}"));
    };
    let path = path.to_string_lossy().into_owned();
    // `slice:prefix:name`
    if !path.contains('/') && path.matches(':').count() == 2 {
        return Err(SpecError::SystemdPath(path));
    }
    if path.is_empty() {
        return Ok(format!("{DEFAULT_PARENT}/{id}"));
    }
    Ok(path)
}

/// The root file system's absolute path, without links in it.
pub(super) fn rootfs(spec: &Spec, bundle: &Path) -> Result<PathBuf, SpecError> {
    let root = spec.root().as_ref().ok_or(SpecError::Missing("root"))?;
    // Joining an absolute path yields that path.
    let path = bundle.join(root.path());
    path.canonicalize()
        .map_err(|source| SpecError::Root { path, source })
}

/// Makes the specification one that this host can carry out. The cgroups exist already; limits come
/// after ([`prepare_limits`]). `apart`: where it is carried out no hierarchy is in sight, and a view of v1 is made
/// later.
pub(super) fn vet(
    mut spec: Spec,
    rootfs: &Path,
    cgroups: &Cgroups,
    apart: bool,
) -> Result<Vetted, SpecError> {
    let mut warnings = Vec::new();
    mounts::refuse_traps(rootfs)?;
    mounts::refuse_another_root(&spec)?;
    mounts::ensure_dev(&mut spec)?;
    if let Some(root) = spec.root_mut() {
        root.set_path(rootfs.to_owned());
    }
    let has_view = match cgroups.layout().mode() {
        Mode::Unified => {
            if apart {
                cgroup_mount::name_kind(&mut spec);
            }
            false
        }
        Mode::Hybrid | Mode::Legacy => {
            cgroup_mount::replace(&mut spec, cgroups, apart, &mut warnings)
        }
    };
    let in_user_namespace = has_namespace(&spec, LinuxNamespaceType::User);
    let held = Held::read().map_err(|source| SpecError::Capabilities { source })?;
    let process = spec.process_mut().as_mut();
    let process = process.ok_or(SpecError::Missing("process"))?;
    privileges::complete(process);
    privileges::clamp(process, &held, in_user_namespace, &mut warnings);
    home::ensure(process, rootfs);
    let linux = spec.linux_mut().as_mut();
    let linux = linux.ok_or(SpecError::Missing("linux"))?;
    devices::forbid_the_rest(linux);
    pin_cgroup_path(linux, cgroups);
    Ok(Vetted {
        spec,
        warnings,
        lacks_view: has_view && apart,
    })
}

/// Makes a joining process one that this host can carry out. `root`: the workload's, as it is now.
pub(super) fn vet_process(
    process: &mut Process,
    spec: &Spec,
    root: &Path,
) -> Result<Vec<Warning>, SpecError> {
    let mut warnings = Vec::new();
    let held = Held::read().map_err(|source| SpecError::Capabilities { source })?;
    let in_user_namespace = has_namespace(spec, LinuxNamespaceType::User);
    privileges::complete(process);
    privileges::clamp(process, &held, in_user_namespace, &mut warnings);
    home::ensure(process, root);
    Ok(warnings)
}

/// Has the workload a namespace of this kind, its own or another's?
pub(super) fn has_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
    namespaces.is_some_and(|list| list.iter().any(|namespace| namespace.typ() == kind))
}

/// One that was made for it?
pub(super) fn has_own_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_deref());
    let mut namespaces = namespaces.unwrap_or_default().iter();
    namespaces.any(|one| one.typ() == kind && one.path().is_none())
}

/// `libcontainer`'s own default has colons in it, and depends on who calls.
fn pin_cgroup_path(linux: &mut Linux, cgroups: &Cgroups) {
    if let Some(path) = cgroups.placement().paths.values().next() {
        linux.set_cgroups_path(Some(path.into()));
    }
}
