#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const A: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
const B: &str = "68d179b7ced37ec93171b9cfa6f650141dc1777f6ffb2ffa1c7bc5eb8e08242b";
const UID: &str = "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
const UID_: &str = "0d1c7a9e_52f4_4b6e_9a55_6f0f2e0f9b11";

/// Checks a table: path; runtime, kind, container id, pod uid, name (`-`: none). `$A`, `$B`, `$UID`
/// and `$UID_` stand for the constants above; `#` begins a note.
fn check(table: &str) {
    let lines = table.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let line = line.replace("$UID_", UID_).replace("$UID", UID);
        let line = line.replace("$A", A).replace("$B", B);
        let columns: Vec<_> = line.split_whitespace().collect();
        let [path, runtime, kind, container_id, pod_uid, name] = columns[..] else {
            panic!("six columns: {line}");
        };
        let given = |text: &str| (text != "-").then(|| text.to_owned());
        let wanted = Identity {
            id: path.to_owned(),
            runtime: serde_json::from_value(json!(runtime)).unwrap(),
            kind: serde_json::from_value(json!(kind)).unwrap(),
            container_id: given(container_id),
            pod_uid: given(pod_uid),
            name: given(name),
            ..Identity::default()
        };
        assert_eq!(classify(path), wanted, "{path}");
    }
}

#[test]
fn docker() {
    check(
        r"
        /docker                                      docker     slice     - - -
        /docker/$A                                   docker     container $A - -
        /system.slice/docker-$A.scope                docker     container $A - -
        /build.slice/docker-$A.scope                 docker     container $A - -
        /actions_job/$A                              docker     container $A - -
        /ecs/4f3c1b2a/$A                             docker     container $A - -
        /user.slice/user-1000.slice/user@1000.service/app.slice/docker-$A.scope docker     container $A - -
        /docker/$A/init.scope                        docker     unit      $A - init.scope
        /docker/$A/system.slice                      docker     slice     $A - system.slice
        /docker/$A/system.slice/nginx.service        docker     unit      $A - nginx.service
        /docker/$A/workers/1                         docker     cgroup    $A - -
        # docker in docker
        /docker/$A/docker/$B                         docker     container $B - -
        # not every unit that begins so is a container
        /system.slice/docker-compose-web.scope       systemd    unit      - - docker-compose-web.scope
        /system.slice/docker.service                 systemd    unit      - - docker.service
        ",
    );
}

#[test]
fn containerd() {
    check(
        r"
        /default                                     containerd slice     - - -
        /default/plain1                              containerd container plain1 - -
        /default/$A                                  containerd container $A - -
        /k8s.io/cri1                                 containerd container cri1 - -
        /default/plain1/inner                        containerd cgroup    plain1 - -
        /system.slice/nerdctl-$A.scope               containerd container $A - -
        /system.slice/cri-containerd-$A.scope        containerd container $A - -
        # only the top level is containerd's
        /jobs/default/plain1                         cgroup     cgroup    - - -
        ",
    );
}

#[test]
fn podman() {
    check(
        r"
        /libpod_parent                               podman     slice     - - -
        /libpod_parent/libpod-$A                     podman     container $A - -
        /libpod_parent/$B                            podman     pod       - $B -
        /libpod_parent/$B/libpod-$A                  podman     container $A $B -
        /libpod_parent/conmon                        cgroup     cgroup    - - -
        /machine.slice/libpod-$A.scope               podman     container $A - -
        /machine.slice/libpod-$A.scope/container     podman     cgroup    $A - -
        /machine.slice/libpod-conmon-$A.scope        podman     unit      - - libpod-conmon-$A.scope
        /machine.slice/machine-libpod_pod_$B.slice   podman     pod       - $B -
        /machine.slice/machine-libpod_pod_$B.slice/libpod-$A.scope/container podman     cgroup    $A $B -
        /user.slice/user-1000.slice/user@1000.service/user.slice/libpod-$A.scope podman     container $A - -
        /user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_$B.slice/libpod-$A.scope podman     container $A $B -
        /user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-$A.scope podman     unit      - - libpod-conmon-$A.scope
        /system.slice/web.service/libpod-payload-$A  cgroup     cgroup    - - -
        ",
    );
}

#[test]
fn cri_o() {
    check(
        r"
        /kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$UID_.slice/crio-$A.scope cri-o      container $A $UID -
        /kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$UID_.slice/crio-$A.scope/container cri-o      cgroup    $A $UID -
        /kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$UID_.slice/crio-conmon-$A.scope cri-o      unit      - $UID crio-conmon-$A.scope
        /kubepods/besteffort/pod$UID/crio-$A         cri-o      container $A $UID -
        ",
    );
}

#[test]
fn kubernetes() {
    check(
        r"
        /kubepods                                    kubernetes slice     - - -
        /kubepods/burstable                          kubernetes slice     - - -
        /kubepods/burstable/pod$UID                  kubernetes pod       - $UID -
        /kubepods/burstable/pod$UID/$A               kubernetes container $A $UID -
        /kubepods/pod$UID/$A                         kubernetes container $A $UID -
        # a static pod's uid has no dashes
        /kubepods/burstable/pod8f1a2b3c4d5e6f708192a3b4c5d6e7f8 kubernetes pod       - 8f1a2b3c4d5e6f708192a3b4c5d6e7f8 -
        /kubepods.slice                              kubernetes slice     - - kubepods.slice
        /kubepods.slice/kubepods-burstable.slice     kubernetes slice     - - kubepods-burstable.slice
        /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$UID_.slice kubernetes pod       - $UID -
        /kubepods.slice/kubepods-pod$UID_.slice/cri-containerd-$A.scope containerd container $A $UID -
        /kubepods.slice/kubepods-pod$UID_.slice/docker-$A.scope docker     container $A $UID -
        # cgroup drivers that disagree
        /system.slice/containerd.service/kubepods-burstable-pod$UID_.slice:cri-containerd:$A containerd container $A $UID -
        # kind: a node that is itself a docker container
        /docker/$B/kubelet.slice/kubelet-kubepods.slice docker     slice     $B - kubelet-kubepods.slice
        /docker/$B/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod$UID_.slice kubernetes pod       $B $UID -
        /docker/$B/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod$UID_.slice/cri-containerd-$A.scope containerd container $A $UID -
        # k3s in a container
        /docker/$B/kubepods/besteffort/pod$UID/$A    kubernetes container $A $UID -
        /kubepods/pod$UID/$A/worker                  kubernetes cgroup    $A $UID -
        # docker in a pod: the inner container is not the pod's
        /kubepods/pod$UID/$A/docker/$B               docker     container $B - -
        ",
    );
}

#[test]
fn systemd() {
    check(
        r"
        /init.scope                                  systemd    unit      - - init.scope
        /system.slice                                systemd    slice     - - system.slice
        /system.slice/nginx.service                  systemd    unit      - - nginx.service
        /system.slice/system-getty.slice/getty@tty1.service systemd    unit      - - getty@tty1.service
        /system.slice/dev-disk-by\x2duuid-0d1c.swap  systemd    unit      - - dev-disk-by\x2duuid-0d1c.swap
        /system.slice/_cpu.service                   systemd    unit      - - cpu.service
        /user.slice/user-1000.slice/session-3.scope  systemd    unit      - - session-3.scope
        /user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome\x2dTerminal.scope systemd    unit      - - app-org.gnome\x2dTerminal.scope
        /system.slice/systemd-udevd.service/udev     cgroup     cgroup    - - -
        ",
    );
}

#[test]
fn machines() {
    check(
        r"
        /lxc                                         lxc        slice     - - -
        /lxc/web                                     lxc        container web - web
        /lxc/101/ns                                  lxc        cgroup    101 - -
        /lxc/101/ns/init.scope                       lxc        unit      101 - init.scope
        /lxc.payload.web                             lxc        container web - web
        /lxc.payload.web/system.slice/nginx.service  lxc        unit      web - nginx.service
        /lxc.monitor.web                             lxc        unit      - - web
        /lxc.payload/web                             lxc        container web - web
        /lxc.monitor/web                             lxc        unit      - - web
        /lxc.pivot                                   cgroup     cgroup    - - -
        /machine.slice                               systemd    slice     - - machine.slice
        /machine.slice/machine-deb.scope             nspawn     machine   - - deb
        /machine.slice/machine-my\x2ddeb.scope       nspawn     machine   - - my-deb
        /machine.slice/systemd-nspawn@deb.service    nspawn     machine   - - deb
        /machine.slice/systemd-nspawn@deb.service/payload cgroup     cgroup    - - -
        /machine.slice/machine-qemu\x2d1\x2dname.scope libvirt    machine   - - name
        /machine.slice/machine-qemu\x2d12\x2dmy\x2dvm.scope libvirt    machine   - - my-vm
        /machine.slice/machine-qemu\x2d1\x2dname.scope/libvirt/emulator cgroup     cgroup    - - -
        /machine.slice/machine-lxc\x2d77\x2dbox.scope libvirt    machine   - - box
        /machine/qemu-1-name.libvirt-qemu            libvirt    machine   - - name
        /machine/name.libvirt-qemu                   libvirt    machine   - - name
        ",
    );
}

#[test]
fn bare_and_odd() {
    check(
        r"
        /                                            cgroup     host      - - -
        /jobs/7                                      cgroup     cgroup    - - -
        /../x                                        cgroup     cgroup    - - -
        /.service                                    cgroup     cgroup    - - -
        /podcast                                     cgroup     cgroup    - - -
        ",
    );
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
