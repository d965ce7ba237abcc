//! Who can restart a workload.

use crate::identity::{Identity, Kind, Runtime};

/// Whom to ask, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Container id.
    Own(String),
    Docker(String),
    Podman(String),
    /// Unit name, for systemd's system instance.
    Unit(String),
}

impl Target {
    /// # Errors
    /// Nobody can, and why.
    pub(super) fn of(identity: &Identity) -> Result<Self, String> {
        match identity.kind {
            Kind::Container => container(identity),
            Kind::Unit => unit(identity),
            Kind::Sandbox | Kind::Pod => Err("a pod is its kubelet's to restart".to_owned()),
            Kind::Machine => Err("a machine is its hypervisor's to restart".to_owned()),
            Kind::Host => Err("the host is not restarted".to_owned()),
            Kind::Slice => Err("a group of workloads cannot be restarted".to_owned()),
            Kind::Cgroup => Err(
                "nobody is known who started what is in this cgroup, and could again".to_owned(),
            ),
        }
    }

    /// Who is asked.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Self::Own(_) => "plimsoll",
            Self::Docker(_) => "docker",
            Self::Podman(_) => "podman",
            Self::Unit(_) => "systemd",
        }
    }
}

fn container(identity: &Identity) -> Result<Target, String> {
    let id = || {
        let id = identity.container_id.clone();
        id.ok_or_else(|| "its container id is not known".to_owned())
    };
    if is_of_a_user(&identity.id) {
        return Err("its engine is a user's own, which has another socket".to_owned());
    }
    match identity.runtime {
        // Podman's pods are its own.
        Runtime::Podman => id().map(Target::Podman),
        _ if identity.pod_uid.is_some() => {
            Err("a container of a pod is its kubelet's to restart; when it is killed, it does".to_owned())
        }
        Runtime::Plimsoll => id().map(Target::Own),
        Runtime::Docker => id().map(Target::Docker),
        Runtime::Containerd => Err(
            "containerd restarts nothing by itself; whoever started the container may, when it is killed"
                .to_owned(),
        ),
        Runtime::CriO
        | Runtime::Kubernetes
        | Runtime::Systemd
        | Runtime::Lxc
        | Runtime::Nspawn
        | Runtime::Libvirt
        | Runtime::Cgroup => Err(format!(
            "restarting a container of {} is not supported",
            identity.runtime.name()
        )),
    }
}

fn unit(identity: &Identity) -> Result<Target, String> {
    let name = identity.name.clone().unwrap_or_default();
    if identity.container_id.is_some() || identity.runtime != Runtime::Systemd {
        return Err("it is a unit of the systemd inside a container".to_owned());
    }
    if is_of_a_user(&identity.id) {
        return Err("it is a unit of a user's own systemd".to_owned());
    }
    if name.ends_with(".scope") {
        return Err(
            "a scope is made by whoever started its processes; systemd cannot again".to_owned(),
        );
    }
    if !name.ends_with(".service") {
        return Err(format!("{name} is no service"));
    }
    Ok(Target::Unit(name))
}

/// Below a user's service manager: `…/user@1000.service/…`.
fn is_of_a_user(path: &str) -> bool {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    above
        .split('/')
        .any(|segment| segment.starts_with("user@") && segment.ends_with(".service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::classify;

    const ID: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";

    fn of(path: &str) -> Result<Target, String> {
        Target::of(&classify(path))
    }

    #[test]
    fn containers_and_services_have_somebody_to_ask() {
        assert_eq!(of(&format!("/docker/{ID}")), Ok(Target::Docker(ID.into())));
        let scope = format!("/system.slice/docker-{ID}.scope");
        assert_eq!(of(&scope), Ok(Target::Docker(ID.into())));
        let podman = format!("/machine.slice/libpod-{ID}.scope");
        assert_eq!(of(&podman), Ok(Target::Podman(ID.into())));
        let service = |name: &str| Ok(Target::Unit(name.into()));
        assert_eq!(of("/system.slice/nginx.service"), service("nginx.service"));
        let user = "/user.slice/user-1000.slice/user@1000.service";
        assert_eq!(of(user), service("user@1000.service"));
    }

    #[test]
    fn the_rest_has_a_reason() {
        let pod = "/kubepods/pod0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for (path, reason) in [
            (pod.to_owned(), "kubelet"),
            (format!("{pod}/{ID}"), "kubelet"),
            ("/".into(), "host"),
            ("/job".into(), "nobody is known"),
            ("/system.slice".into(), "group"),
            ("/system.slice/run-1.scope".into(), "scope"),
            ("/system.slice/docker.socket".into(), "no service"),
            (format!("{user}/app.slice/web.service"), "user's own"),
            (format!("{user}/user.slice/libpod-{ID}.scope"), "user's own"),
            (
                format!("/docker/{ID}/system.slice/web.service"),
                "inside a container",
            ),
        ] {
            let refused = of(&path).expect_err(&path);
            assert!(refused.contains(reason), "{path}: {refused}");
        }
    }

    #[test]
    fn a_container_of_containerd_is_refused_with_what_helps() {
        let mut identity = classify(&format!("/docker/{ID}"));
        identity.runtime = Runtime::Containerd;
        let refused = Target::of(&identity);
        assert!(refused.is_err_and(|reason| reason.contains("when it is killed")));
        identity.runtime = Runtime::Docker;
        identity.pod_uid = Some("uid".into());
        assert!(Target::of(&identity).is_err_and(|reason| reason.contains("kubelet")));
    }
}
