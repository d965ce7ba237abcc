#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const A: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
const B: &str = "68d179b7ced37ec93171b9cfa6f650141dc1777f6ffb2ffa1c7bc5eb8e08242b";
const UID: &str = "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
const UID_: &str = "0d1c7a9e_52f4_4b6e_9a55_6f0f2e0f9b11";

/// `$A`, `$B`, `$UID` and `$UID_` stand for the constants above.
fn expand(text: &str) -> String {
    text.replace("$UID_", UID_)
        .replace("$UID", UID)
        .replace("$A", A)
        .replace("$B", B)
}

/// One line of the table: path; runtime, kind; container id, pod uid, name.
type Line = (&'static str, Runtime, Kind, [Option<&'static str>; 3]);

fn check(table: &[Line]) {
    for (path, runtime, kind, [container_id, pod_uid, name]) in table {
        let path = expand(path);
        let wanted = Identity {
            id: path.clone(),
            runtime: *runtime,
            kind: *kind,
            container_id: container_id.map(expand),
            pod_uid: pod_uid.map(expand),
            name: name.map(expand),
            ..Identity::default()
        };
        assert_eq!(classify(&path), wanted, "{path}");
    }
}

#[test]
fn docker() {
    use Kind::{Cgroup, Container, Slice, Unit};
    use Runtime::Docker;
    check(&[
        ("/docker", Docker, Slice, [None; 3]),
        ("/docker/$A", Docker, Container, [Some("$A"), None, None]),
        (
            "/system.slice/docker-$A.scope",
            Docker,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/build.slice/docker-$A.scope",
            Docker,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/actions_job/$A",
            Docker,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/ecs/4f3c1b2a/$A",
            Docker,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-$A.scope",
            Docker,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/docker/$A/init.scope",
            Docker,
            Unit,
            [Some("$A"), None, Some("init.scope")],
        ),
        (
            "/docker/$A/system.slice",
            Docker,
            Slice,
            [Some("$A"), None, Some("system.slice")],
        ),
        (
            "/docker/$A/system.slice/nginx.service",
            Docker,
            Unit,
            [Some("$A"), None, Some("nginx.service")],
        ),
        (
            "/docker/$A/workers/1",
            Docker,
            Cgroup,
            [Some("$A"), None, None],
        ),
        // Docker in docker.
        (
            "/docker/$A/docker/$B",
            Docker,
            Container,
            [Some("$B"), None, None],
        ),
    ]);
    // Not every unit that begins so is a container.
    let unit = classify("/system.slice/docker-compose-web.scope");
    assert_eq!((unit.runtime, unit.kind), (Runtime::Systemd, Kind::Unit));
    let service = classify("/system.slice/docker.service");
    assert_eq!(
        (service.runtime, service.kind),
        (Runtime::Systemd, Kind::Unit)
    );
}

#[test]
fn containerd() {
    use Kind::{Cgroup, Container, Slice};
    use Runtime::Containerd;
    check(&[
        ("/default", Containerd, Slice, [None; 3]),
        (
            "/default/plain1",
            Containerd,
            Container,
            [Some("plain1"), None, None],
        ),
        (
            "/default/$A",
            Containerd,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/k8s.io/cri1",
            Containerd,
            Container,
            [Some("cri1"), None, None],
        ),
        (
            "/default/plain1/inner",
            Containerd,
            Cgroup,
            [Some("plain1"), None, None],
        ),
        (
            "/system.slice/nerdctl-$A.scope",
            Containerd,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/system.slice/cri-containerd-$A.scope",
            Containerd,
            Container,
            [Some("$A"), None, None],
        ),
        // Only the top level is containerd's.
        ("/jobs/default/plain1", Runtime::Cgroup, Cgroup, [None; 3]),
    ]);
}

#[test]
fn podman() {
    use Kind::{Cgroup, Container, Pod, Slice, Unit};
    use Runtime::Podman;
    check(&[
        ("/libpod_parent", Podman, Slice, [None; 3]),
        (
            "/libpod_parent/libpod-$A",
            Podman,
            Container,
            [Some("$A"), None, None],
        ),
        ("/libpod_parent/$B", Podman, Pod, [None, Some("$B"), None]),
        (
            "/libpod_parent/$B/libpod-$A",
            Podman,
            Container,
            [Some("$A"), Some("$B"), None],
        ),
        ("/libpod_parent/conmon", Runtime::Cgroup, Cgroup, [None; 3]),
        (
            "/machine.slice/libpod-$A.scope",
            Podman,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/machine.slice/libpod-$A.scope/container",
            Podman,
            Cgroup,
            [Some("$A"), None, None],
        ),
        (
            "/machine.slice/libpod-conmon-$A.scope",
            Podman,
            Unit,
            [None, None, Some("libpod-conmon-$A.scope")],
        ),
        (
            "/machine.slice/machine-libpod_pod_$B.slice",
            Podman,
            Pod,
            [None, Some("$B"), None],
        ),
        (
            "/machine.slice/machine-libpod_pod_$B.slice/libpod-$A.scope/container",
            Podman,
            Cgroup,
            [Some("$A"), Some("$B"), None],
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-$A.scope",
            Podman,
            Container,
            [Some("$A"), None, None],
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_$B.slice/libpod-$A.scope",
            Podman,
            Container,
            [Some("$A"), Some("$B"), None],
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-$A.scope",
            Podman,
            Unit,
            [None, None, Some("libpod-conmon-$A.scope")],
        ),
        (
            "/system.slice/web.service/libpod-payload-$A",
            Runtime::Cgroup,
            Cgroup,
            [None; 3],
        ),
    ]);
}

#[test]
fn cri_o() {
    use Kind::{Cgroup, Container, Unit};
    use Runtime::CriO;
    let pod = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$UID_.slice";
    for (tail, kind, ids) in [
        ("crio-$A.scope", Container, [Some("$A"), Some("$UID"), None]),
        (
            "crio-$A.scope/container",
            Cgroup,
            [Some("$A"), Some("$UID"), None],
        ),
        (
            "crio-conmon-$A.scope",
            Unit,
            [None, Some("$UID"), Some("crio-conmon-$A.scope")],
        ),
    ] {
        let path: &'static str = Box::leak(format!("{pod}/{tail}").into_boxed_str());
        check(&[(path, CriO, kind, ids)]);
    }
    check(&[(
        "/kubepods/besteffort/pod$UID/crio-$A",
        CriO,
        Container,
        [Some("$A"), Some("$UID"), None],
    )]);
}

#[test]
fn kubernetes() {
    use Kind::{Cgroup, Container, Pod, Slice};
    use Runtime::{Containerd, Docker, Kubernetes};
    check(&[
        ("/kubepods", Kubernetes, Slice, [None; 3]),
        ("/kubepods/burstable", Kubernetes, Slice, [None; 3]),
        (
            "/kubepods/burstable/pod$UID",
            Kubernetes,
            Pod,
            [None, Some("$UID"), None],
        ),
        (
            "/kubepods/burstable/pod$UID/$A",
            Kubernetes,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        (
            "/kubepods/pod$UID/$A",
            Kubernetes,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        // A static pod's uid has no dashes.
        (
            "/kubepods/burstable/pod8f1a2b3c4d5e6f708192a3b4c5d6e7f8",
            Kubernetes,
            Pod,
            [None, Some("8f1a2b3c4d5e6f708192a3b4c5d6e7f8"), None],
        ),
        (
            "/kubepods.slice",
            Kubernetes,
            Slice,
            [None, None, Some("kubepods.slice")],
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice",
            Kubernetes,
            Slice,
            [None, None, Some("kubepods-burstable.slice")],
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$UID_.slice",
            Kubernetes,
            Pod,
            [None, Some("$UID"), None],
        ),
        (
            "/kubepods.slice/kubepods-pod$UID_.slice/cri-containerd-$A.scope",
            Containerd,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        (
            "/kubepods.slice/kubepods-pod$UID_.slice/docker-$A.scope",
            Docker,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        // Drivers that disagree.
        (
            "/system.slice/containerd.service/kubepods-burstable-pod$UID_.slice:cri-containerd:$A",
            Containerd,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        // kind: a node that is itself a docker container.
        (
            "/docker/$B/kubelet.slice/kubelet-kubepods.slice",
            Docker,
            Slice,
            [Some("$B"), None, Some("kubelet-kubepods.slice")],
        ),
        (
            "/docker/$B/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod$UID_.slice",
            Kubernetes,
            Pod,
            [Some("$B"), Some("$UID"), None],
        ),
        (
            "/docker/$B/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod$UID_.slice/cri-containerd-$A.scope",
            Containerd,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        // k3s in a container, cgroupfs driver.
        (
            "/docker/$B/kubepods/besteffort/pod$UID/$A",
            Kubernetes,
            Container,
            [Some("$A"), Some("$UID"), None],
        ),
        (
            "/kubepods/pod$UID/$A/worker",
            Kubernetes,
            Cgroup,
            [Some("$A"), Some("$UID"), None],
        ),
        // Docker in a pod: the inner container is not the pod's.
        (
            "/kubepods/pod$UID/$A/docker/$B",
            Docker,
            Container,
            [Some("$B"), None, None],
        ),
    ]);
}

#[test]
fn systemd() {
    use Kind::{Cgroup, Slice, Unit};
    use Runtime::Systemd;
    check(&[
        (
            "/init.scope",
            Systemd,
            Unit,
            [None, None, Some("init.scope")],
        ),
        (
            "/system.slice",
            Systemd,
            Slice,
            [None, None, Some("system.slice")],
        ),
        (
            "/system.slice/nginx.service",
            Systemd,
            Unit,
            [None, None, Some("nginx.service")],
        ),
        (
            "/system.slice/system-getty.slice/getty@tty1.service",
            Systemd,
            Unit,
            [None, None, Some("getty@tty1.service")],
        ),
        (
            r"/system.slice/dev-disk-by\x2duuid-0d1c.swap",
            Systemd,
            Unit,
            [None, None, Some(r"dev-disk-by\x2duuid-0d1c.swap")],
        ),
        (
            "/system.slice/_cpu.service",
            Systemd,
            Unit,
            [None, None, Some("cpu.service")],
        ),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            Systemd,
            Unit,
            [None, None, Some("session-3.scope")],
        ),
        (
            r"/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome\x2dTerminal.scope",
            Systemd,
            Unit,
            [None, None, Some(r"app-org.gnome\x2dTerminal.scope")],
        ),
        (
            "/system.slice/systemd-udevd.service/udev",
            Runtime::Cgroup,
            Cgroup,
            [None; 3],
        ),
    ]);
}

#[test]
fn machines() {
    use Kind::{Cgroup, Container, Machine, Slice, Unit};
    use Runtime::{Libvirt, Lxc, Nspawn};
    check(&[
        ("/lxc", Lxc, Slice, [None; 3]),
        ("/lxc/web", Lxc, Container, [Some("web"), None, Some("web")]),
        ("/lxc/101/ns", Lxc, Cgroup, [Some("101"), None, None]),
        (
            "/lxc/101/ns/init.scope",
            Lxc,
            Unit,
            [Some("101"), None, Some("init.scope")],
        ),
        (
            "/lxc.payload.web",
            Lxc,
            Container,
            [Some("web"), None, Some("web")],
        ),
        (
            "/lxc.payload.web/system.slice/nginx.service",
            Lxc,
            Unit,
            [Some("web"), None, Some("nginx.service")],
        ),
        ("/lxc.monitor.web", Lxc, Unit, [None, None, Some("web")]),
        (
            "/lxc.payload/web",
            Lxc,
            Container,
            [Some("web"), None, Some("web")],
        ),
        ("/lxc.monitor/web", Lxc, Unit, [None, None, Some("web")]),
        ("/lxc.pivot", Runtime::Cgroup, Cgroup, [None; 3]),
        (
            "/machine.slice",
            Runtime::Systemd,
            Slice,
            [None, None, Some("machine.slice")],
        ),
        (
            "/machine.slice/machine-deb.scope",
            Nspawn,
            Machine,
            [None, None, Some("deb")],
        ),
        (
            r"/machine.slice/machine-my\x2ddeb.scope",
            Nspawn,
            Machine,
            [None, None, Some("my-deb")],
        ),
        (
            "/machine.slice/systemd-nspawn@deb.service",
            Nspawn,
            Machine,
            [None, None, Some("deb")],
        ),
        (
            "/machine.slice/systemd-nspawn@deb.service/payload",
            Runtime::Cgroup,
            Cgroup,
            [None; 3],
        ),
        (
            r"/machine.slice/machine-qemu\x2d1\x2dname.scope",
            Libvirt,
            Machine,
            [None, None, Some("name")],
        ),
        (
            r"/machine.slice/machine-qemu\x2d12\x2dmy\x2dvm.scope",
            Libvirt,
            Machine,
            [None, None, Some("my-vm")],
        ),
        (
            r"/machine.slice/machine-qemu\x2d1\x2dname.scope/libvirt/emulator",
            Runtime::Cgroup,
            Cgroup,
            [None; 3],
        ),
        (
            r"/machine.slice/machine-lxc\x2d77\x2dbox.scope",
            Libvirt,
            Machine,
            [None, None, Some("box")],
        ),
        (
            "/machine/qemu-1-name.libvirt-qemu",
            Libvirt,
            Machine,
            [None, None, Some("name")],
        ),
        (
            "/machine/name.libvirt-qemu",
            Libvirt,
            Machine,
            [None, None, Some("name")],
        ),
    ]);
}

#[test]
fn bare_and_odd() {
    use Kind::{Cgroup, Host};
    check(&[
        ("/", Runtime::Cgroup, Host, [None; 3]),
        ("/jobs/7", Runtime::Cgroup, Cgroup, [None; 3]),
        ("/../x", Runtime::Cgroup, Cgroup, [None; 3]),
        ("/.service", Runtime::Cgroup, Cgroup, [None; 3]),
        ("/podcast", Runtime::Cgroup, Cgroup, [None; 3]),
    ]);
    assert_eq!(classify(""), classify("/"));
    assert_eq!(classify("/docker/").id, "/docker");
    assert_eq!(unit::unescape(r"a\x2db\x5c\x2\xzz"), r"a-b\\x2\xzz");
}

/// Pieces of paths, so that the strategies meet in the interesting places.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(A.to_owned()),
        Just(format!("docker-{A}.scope")),
        Just(format!("libpod-conmon-{A}")),
        Just(format!("kubepods-pod{UID_}.slice:crio:{A}")),
        Just(format!("pod{UID}")),
        Just("libpod_parent".to_owned()),
        Just("lxc.payload.".to_owned()),
        Just("lxc".to_owned()),
        Just("default".to_owned()),
        r"machine-(\\x2d|\\x|é|qemu-)*\.scope",
        r"\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn never_panics(path in r"(?s).{0,200}") {
        let identity = classify(&path);
        prop_assert!(identity.id.starts_with('/'));
    }

    #[test]
    fn a_container_has_an_id_and_a_pod_a_uid(pieces in proptest::collection::vec(piece(), 0..8)) {
        let identity = classify(&pieces.join("/"));
        match identity.kind {
            Kind::Container => prop_assert!(identity.container_id.is_some()),
            Kind::Pod => prop_assert!(identity.pod_uid.is_some()),
            _ => prop_assert_eq!(identity.details_key(), None),
        }
    }
}
