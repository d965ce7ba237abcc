//! Whose a cgroup is, by the paths that engines give: as they are on this kernel's hierarchies.

use crate::agent::Agent;
use crate::cgroups::Cgroup;
use crate::guest::{outbox, poll};

/// Without its last two digits, which tell one container from another.
const ID: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b55";
const UID: &str = "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
/// As systemd has it, to which a dash is a slash.
const UID_: &str = "0d1c7a9e_52f4_4b6e_9a55_6f0f2e0f9b11";

/// Path, runtime and kind; `$ID`, `$UID` and `$UID_` stand for the constants.
const PATHS: [(&str, &str, &str); 11] = [
    ("/docker/$ID", "docker", "container"),
    ("/system.slice/docker-$ID.scope", "docker", "container"),
    ("/machine.slice/libpod-$ID.scope", "podman", "container"),
    ("/libpod_parent/libpod-$ID", "podman", "container"),
    ("/default/plain", "containerd", "container"),
    (
        "/kubepods.slice/kubepods-pod$UID_.slice/cri-containerd-$ID.scope",
        "containerd",
        "container",
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$UID_.slice/crio-$ID.scope",
        "cri-o",
        "container",
    ),
    ("/kubepods/burstable/pod$UID", "kubernetes", "pod"),
    ("/system.slice/nginx.service", "systemd", "unit"),
    (
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        "libvirt",
        "machine",
    ),
    ("/nobodys", "cgroup", "cgroup"),
];

#[test]
fn paths_of_all_engines_are_attributed() {
    if outbox("paths_of_all_engines_are_attributed").is_none() {
        return;
    }
    let spell = |n: usize, path: &str| {
        path.replace("$UID_", UID_)
            .replace("$UID", UID)
            .replace("$ID", &format!("{ID}{n:02}"))
    };
    let paths: Vec<String> = PATHS
        .iter()
        .enumerate()
        .map(|(n, (path, ..))| spell(n, path))
        .collect();
    // Half of them are there before the agent, half come while it runs.
    let (early, late) = paths.split_at(paths.len() / 2);
    let mut made: Vec<_> = early.iter().map(|path| Cgroup::make(path)).collect();
    let agent = Agent::own();
    made.extend(late.iter().map(|path| Cgroup::make(path)));
    for (path, (_, runtime, kind)) in paths.iter().zip(PATHS) {
        let workload = poll(path, || agent.workload(path));
        let identity = &workload["identity"];
        assert_eq!(
            (&identity["runtime"], &identity["kind"]),
            (&runtime.into(), &kind.into()),
            "{path}"
        );
    }
    for cgroup in made {
        cgroup.remove();
    }
}
