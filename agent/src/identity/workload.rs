//! What a workload is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who made the workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    Docker,
    Containerd,
    Podman,
    #[serde(rename = "cri-o")]
    CriO,
    /// A pod's own cgroup (or a container whose engine the path does not tell).
    Kubernetes,
    Systemd,
    Lxc,
    Nspawn,
    Libvirt,
    /// A cgroup nobody known made.
    #[default]
    Cgroup,
}

/// What sort of thing it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The whole machine: the root cgroup.
    Host,
    Container,
    /// A pod's sandbox ("pause") container.
    Sandbox,
    Pod,
    /// A systemd service, scope or other unit.
    Unit,
    /// A group of others: systemd slice, `/docker`, `/kubepods`.
    Slice,
    /// A virtual machine or machine container.
    Machine,
    #[default]
    Cgroup,
}

/// Identity of one workload. Made from the path at once; names, image and labels may come later,
/// and then the whole value is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// cAdvisor's `id`: the cgroup path (v2's where the workload is there).
    pub id: String,
    pub runtime: Runtime,
    pub kind: Kind,
    /// Container id in full, where there is one.
    pub container_id: Option<String>,
    /// Name of the container (docker `--name`), unit (`nginx.service`) or machine.
    pub name: Option<String>,
    pub image: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Kubernetes.
    pub container: Option<String>,
    pub pod: Option<String>,
    pub namespace: Option<String>,
    pub pod_uid: Option<String>,
}
