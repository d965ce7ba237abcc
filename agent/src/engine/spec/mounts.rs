//! What is mounted in a container, in which order.
//!
//! Docker's own file systems first, then the user's mounts, outer before inner; one of the user's takes
//! the place of one of Docker's. `launch` makes a v1 cgroup mount read-only whatever is said here.

use std::path::{Component, Path, PathBuf};

use bollard::models::{HostConfig, MountType};
use libcontainer::oci_spec::runtime::{Mount, MountBuilder};

use super::error::unsupported;
use super::mode::{Modes, Share};
use super::tmpfs;
use super::{Parts, ResolvedMount, SpecError};

const SHM: &str = "/dev/shm";
/// 64 MiB, as Docker has it.
const SHM_BYTES: i64 = 64 << 20;

/// All of them, and the propagation of the root that they need.
pub(super) struct Mounts {
    pub(super) list: Vec<Mount>,
    pub(super) propagation: &'static str,
}

impl Mounts {
    pub(super) fn of(
        parts: &Parts<'_>,
        modes: &Modes,
        init: Option<&ResolvedMount>,
    ) -> Result<Self, SpecError> {
        let host = parts.host();
        let mut own = own_mounts(parts, &host)?;
        // A mount point that is named twice: the user's, once.
        let mut users: Vec<ResolvedMount> = parts.mounts.to_vec();
        users.extend(init.cloned());
        for (target, file) in files(parts) {
            if !users.iter().any(|mount| same(&mount.target, target)) {
                users.push(file);
            }
        }
        let propagation = propagation(&users)?;
        for mount in &users {
            own.push(bind(mount, &host)?);
        }
        // Stable: as given, where one is not inside another.
        own.sort_by_key(|mount| mount.destination().components().count());
        let taken = |target: &Path| own.iter().any(|mount| same(mount.destination(), target));

        let mut list = Vec::new();
        for default in defaults(&host)? {
            if !taken(default.destination()) {
                list.push(default);
            }
        }
        if modes.has_shm && !taken(Path::new(SHM)) {
            let shared = match modes.ipc {
                Share::Host => Some(Path::new(SHM)),
                Share::Own | Share::Other => parts.join.shm.as_deref(),
            };
            let options = ["rbind", "nosuid", "noexec", "nodev"];
            list.push(match shared {
                Some(shared) => bind_of(shared, Path::new(SHM), &options)?,
                None => shm(&host)?,
            });
        }
        list.append(&mut own);
        Ok(Self { list, propagation })
    }
}

/// Is it the same path, however it is written?
fn same(one: &Path, other: &Path) -> bool {
    one.components().eq(other.components())
}

fn defaults(host: &HostConfig) -> Result<Vec<Mount>, SpecError> {
    let privileged = host.privileged == Some(true);
    let writable = |options: &[&'static str]| -> Vec<&'static str> {
        let kept = options
            .iter()
            .filter(|&&option| !(privileged && option == "ro"));
        kept.copied().collect()
    };
    let common = ["nosuid", "noexec", "nodev"];
    Ok(vec![
        kernel("proc", "proc", "/proc", &common)?,
        kernel(
            "tmpfs",
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        )?,
        kernel(
            "devpts",
            "devpts",
            "/dev/pts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        )?,
        kernel(
            "sysfs",
            "sysfs",
            "/sys",
            &writable(&["nosuid", "noexec", "nodev", "ro"]),
        )?,
        kernel(
            "cgroup",
            "cgroup",
            "/sys/fs/cgroup",
            &writable(&["ro", "nosuid", "noexec", "nodev", "relatime"]),
        )?,
        // Of the IPC namespace, whosever it is.
        kernel("mqueue", "mqueue", "/dev/mqueue", &common)?,
    ])
}

/// How large `/dev/shm` is.
#[must_use]
pub fn shm_bytes(host: &HostConfig) -> i64 {
    let said = host.shm_size.filter(|&bytes| bytes > 0);
    said.unwrap_or(SHM_BYTES)
}

fn shm(host: &HostConfig) -> Result<Mount, SpecError> {
    let size = format!("size={}", shm_bytes(host));
    kernel(
        "tmpfs",
        "shm",
        SHM,
        &["nosuid", "noexec", "nodev", "mode=1777", &size],
    )
}

/// What the configuration itself asks to be mounted, and needs nothing of the host.
fn own_mounts(parts: &Parts<'_>, host: &HostConfig) -> Result<Vec<Mount>, SpecError> {
    let covered = |target: &Path| parts.mounts.iter().any(|mount| same(&mount.target, target));
    let mut list = Vec::new();
    let mut tmpfs: Vec<_> = host.tmpfs.iter().flatten().collect();
    tmpfs.sort();
    for (target, options) in tmpfs {
        list.push(tmpfs_at(target, &tmpfs::options(options)?)?);
    }
    for mount in host.mounts.iter().flatten() {
        let target = mount.target.as_deref().unwrap_or_default();
        if mount.typ == Some(MountType::TMPFS) && !covered(Path::new(target)) {
            list.push(tmpfs_at(target, &tmpfs::options(&tmpfs::of_mount(mount))?)?);
        }
    }
    Ok(list)
}

fn tmpfs_at(target: &str, options: &[String]) -> Result<Mount, SpecError> {
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    kernel("tmpfs", "tmpfs", target, &options)
}

fn files<'a>(parts: &Parts<'a>) -> Vec<(&'static Path, ResolvedMount)> {
    let read_only = parts.host().readonly_rootfs == Some(true);
    let files = [
        ("/etc/resolv.conf", &parts.files.resolv_conf),
        ("/etc/hosts", &parts.files.hosts),
        ("/etc/hostname", &parts.files.hostname),
    ];
    let present = files.into_iter().filter_map(|(target, source)| {
        let target = Path::new(target);
        let mut options = vec!["rbind".to_owned()];
        options.extend(read_only.then(|| "ro".to_owned()));
        let mount = ResolvedMount {
            source: source.clone()?,
            target: target.to_owned(),
            options,
        };
        Some((target, mount))
    });
    present.collect()
}

/// `libcontainer` 0.7.0 takes a mount's propagation for granted from the root's (rootfs/mount.rs
/// `mount_into_container()` sets none): so the strongest wish is the root's.
fn propagation(mounts: &[ResolvedMount]) -> Result<&'static str, SpecError> {
    let options = || mounts.iter().flat_map(|mount| &mount.options);
    if options().any(|option| matches!(option.as_str(), "shared" | "rshared")) {
        return unsupported(
            "bind propagation \"shared\"",
            "what a workload mounts stays its own; rslave lets it see what the host mounts",
        );
    }
    let slave = options().any(|option| matches!(option.as_str(), "slave" | "rslave"));
    Ok(if slave { "slave" } else { "private" })
}

fn bind(mount: &ResolvedMount, host: &HostConfig) -> Result<Mount, SpecError> {
    let mut options: Vec<&str> = mount.options.iter().map(String::as_str).collect();
    if !options
        .iter()
        .any(|option| matches!(*option, "bind" | "rbind"))
    {
        options.insert(0, "rbind");
    }
    // Read-only is read-only for what is mounted inside too, as in Docker since 25.
    let recursive = options.contains(&"rbind") && options.contains(&"ro");
    if recursive && !options.contains(&"rro") && !keeps_inner_writable(&mount.target, host) {
        options.push("rro");
    }
    bind_of(&mount.source, &mount.target, &options)
}

fn keeps_inner_writable(target: &Path, host: &HostConfig) -> bool {
    host.mounts.iter().flatten().any(|mount| {
        let at = mount.target.as_deref().map(Path::new);
        at.is_some_and(|at| same(at, target))
            && mount
                .bind_options
                .as_ref()
                .and_then(|options| options.read_only_non_recursive)
                == Some(true)
    })
}

fn bind_of(source: &Path, target: &Path, options: &[&str]) -> Result<Mount, SpecError> {
    Ok(MountBuilder::default()
        .destination(normal(target))
        .typ("bind")
        .source(source)
        .options(owned(options))
        .build()?)
}

fn kernel(kind: &str, source: &str, target: &str, options: &[&str]) -> Result<Mount, SpecError> {
    Ok(MountBuilder::default()
        .destination(normal(Path::new(target)))
        .typ(kind)
        .source(source)
        .options(owned(options))
        .build()?)
}

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(|&option| option.to_owned()).collect()
}

/// Without `.`, `..` and a slash at the end.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    normal
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;
