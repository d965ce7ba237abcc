//! What a workload is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::details::Details;

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
    /// This agent.
    Plimsoll,
    /// A cgroup nobody known made.
    #[default]
    Cgroup,
}

impl Runtime {
    /// The engine in its own spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plimsoll => "plimsoll",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::CriO => "cri-o",
            Self::Kubernetes => "kubernetes",
            Self::Systemd => "systemd",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
            Self::Libvirt => "libvirt",
            Self::Cgroup => "cgroup",
        }
    }
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

impl Kind {
    /// As in filters and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Sandbox => "sandbox",
            Self::Pod => "pod",
            Self::Unit => "unit",
            Self::Slice => "slice",
            Self::Machine => "machine",
            Self::Cgroup => "cgroup",
        }
    }
}

/// Identity of one workload. Made from the path at once; names, image and labels may come later,
/// and then the whole value is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// cAdvisor's `id`: the cgroup path (v2's where the workload is there).
    pub id: String,
    pub runtime: Runtime,
    pub kind: Kind,
    /// Container id in full: its own for a container or sandbox, the enclosing container's for
    /// whatever else sits inside one (`/docker/ID/init.scope`).
    pub container_id: Option<String>,
    /// Name of the container (docker `--name`), unit (`nginx.service`) or machine.
    pub name: Option<String>,
    pub image: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Kubernetes: name in the pod; `POD` for the sandbox, as the kubelet has it.
    pub container: Option<String>,
    /// Kubernetes: name of the pod.
    pub pod: Option<String>,
    /// Kubernetes: namespace of the pod.
    pub namespace: Option<String>,
    /// Kubernetes: uid of the pod, with dashes; podman: id of the pod.
    pub pod_uid: Option<String>,
}

impl Identity {
    /// Under which key [`super::Attribution`] knows this workload: the container id of a container,
    /// the uid of a pod. `None`: no engine has anything to say about it. What is merely inside a
    /// container has no key: with the container's name on it, sums by name would count it twice.
    #[must_use]
    pub fn details_key(&self) -> Option<&str> {
        match self.kind {
            Kind::Container | Kind::Sandbox => self.container_id.as_deref(),
            Kind::Pod => self.pod_uid.as_deref(),
            Kind::Host | Kind::Unit | Kind::Slice | Kind::Machine | Kind::Cgroup => None,
        }
    }

    /// This workload with what an engine says of it. A pod takes its name and namespace only.
    #[must_use]
    pub fn with(&self, details: &Details) -> Self {
        let mut identity = self.clone();
        match self.kind {
            Kind::Container | Kind::Sandbox => {
                identity.runtime = details.runtime;
                identity.kind = if details.sandbox {
                    Kind::Sandbox
                } else {
                    Kind::Container
                };
                identity.name.clone_from(&details.name);
                identity.image.clone_from(&details.image);
                identity.labels.clone_from(&details.labels);
                identity.container.clone_from(&details.container);
                identity.pod.clone_from(&details.pod);
                identity.namespace.clone_from(&details.namespace);
            }
            Kind::Pod => {
                identity.pod.clone_from(&details.pod);
                identity.namespace.clone_from(&details.namespace);
            }
            Kind::Host | Kind::Unit | Kind::Slice | Kind::Machine | Kind::Cgroup => {}
        }
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::classify;

    const ID: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";

    fn details() -> Details {
        Details {
            runtime: Runtime::Containerd,
            name: Some("pause".into()),
            container: Some("POD".into()),
            pod: Some("web".into()),
            namespace: Some("shop".into()),
            sandbox: true,
            ..Details::default()
        }
    }

    #[test]
    fn a_sandbox_is_known_when_the_engine_has_said_so() {
        let pod = "/kubepods/pod0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
        let container = classify(&format!("{pod}/{ID}"));
        assert_eq!(
            (container.runtime, container.kind),
            (Runtime::Kubernetes, Kind::Container)
        );
        let sandbox = container.with(&details());
        assert_eq!(
            (sandbox.runtime, sandbox.kind),
            (Runtime::Containerd, Kind::Sandbox)
        );
        assert_eq!(sandbox.container.as_deref(), Some("POD"));
        assert_eq!(sandbox.id, container.id);

        let pod = classify(pod).with(&details());
        assert_eq!(pod.pod.as_deref(), Some("web"));
        assert_eq!((pod.name, pod.container), (None, None));
    }

    #[test]
    fn what_is_inside_a_container_never_bears_its_name() {
        let inner = classify(&format!("/docker/{ID}/init.scope"));
        assert_eq!(inner.container_id.as_deref(), Some(ID));
        assert_eq!(inner.details_key(), None);
        assert_eq!(inner.with(&details()), inner);
    }
}
