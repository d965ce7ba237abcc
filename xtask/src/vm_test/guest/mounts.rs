//! File systems of the guest.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::super::protocol::World;

const CGROUP: &str = "/sys/fs/cgroup";
/// As systemd mounts them.
const V1_HIERARCHIES: [&str; 10] = [
    "name=systemd",
    "cpu,cpuacct",
    "cpuset",
    "memory",
    "blkio",
    "pids",
    "devices",
    "freezer",
    "net_cls,net_prio",
    "perf_event",
];

/// Puts the root on a mount of its own, as hosts have it: the initial ramdisk's, which is below it
/// then, the kernel exchanges for no other (fs/namespace.c `path_pivot_root()`, v6.12).
pub(super) fn root() -> Result<()> {
    const ROOT: &str = "/root-mount";
    fs::create_dir_all(ROOT)?;
    let none = None::<&str>;
    mount(Some("/"), ROOT, none, MsFlags::MS_BIND, none).context("cannot bind the root")?;
    chdir(ROOT)?;
    mount(Some("."), "/", none, MsFlags::MS_MOVE, none).context("cannot move the root")?;
    chroot(".")?;
    Ok(chdir("/")?)
}

/// What every Linux program expects.
pub(super) fn api() -> Result<()> {
    // The kernel mounts it by itself on some configurations.
    let _ = at("devtmpfs", "/dev", "");
    at("proc", "/proc", "")?;
    at("sysfs", "/sys", "")?;
    for (kind, point) in [
        ("devpts", "/dev/pts"),
        ("tmpfs", "/dev/shm"),
        ("tmpfs", "/run"),
        ("bpf", "/sys/fs/bpf"),
        ("tracefs", "/sys/kernel/tracing"),
    ] {
        at(kind, point, "")?;
    }
    // Not mounted: the test programs have the paths they have on the host, which may be below these.
    for point in ["/tmp", "/var/tmp"] {
        fs::set_permissions(point, Permissions::from_mode(0o1777)).with_context(|| point)?;
    }
    Ok(())
}

/// The cgroup hierarchies of that world.
pub(super) fn cgroups(world: World) -> Result<()> {
    if world.is_pure_v2() {
        at("cgroup2", CGROUP, "")?;
        return enable_controllers(Path::new(CGROUP));
    }
    at("tmpfs", CGROUP, "mode=755")?;
    for options in V1_HIERARCHIES {
        let point = format!("{CGROUP}/{}", options.trim_start_matches("name="));
        let options = match options.strip_prefix("name=") {
            Some(_) => format!("none,{options}"),
            None => options.to_owned(),
        };
        at("cgroup", &point, &options)?;
    }
    if world == World::Hybrid {
        at("cgroup2", &format!("{CGROUP}/unified"), "")?;
    }
    Ok(())
}

/// Gives every controller to the root's children, as systemd does on demand.
fn enable_controllers(root: &Path) -> Result<()> {
    let controllers = fs::read_to_string(root.join("cgroup.controllers"))?;
    for controller in controllers.split_whitespace() {
        fs::write(
            root.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )
        .with_context(|| format!("cannot enable the {controller} controller"))?;
    }
    Ok(())
}

pub(super) fn at(kind: &str, point: &str, options: &str) -> Result<()> {
    fs::create_dir_all(point).with_context(|| format!("cannot make {point}"))?;
    mount(
        Some(kind),
        point,
        Some(kind),
        MsFlags::empty(),
        Some(options),
    )
    .with_context(|| format!("cannot mount {kind} on {point} with `{options}`"))
}
