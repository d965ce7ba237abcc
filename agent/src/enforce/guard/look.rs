//! Looks at the host before something is done to it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::tree::{Anchor, Cgroup, Resident, Site, Tree};
use crate::cgroup::{Hierarchy, Layout, placement_of, scan};
use crate::identity::{Identity, classify};
use crate::ledger::Workload;

/// Programs of which the cgroup is never touched, as `/proc/PID/exe` ends.
const DAEMONS: [&str; 18] = [
    "conmon",
    "conmonrs",
    "containerd",
    "crio",
    "dbus-broker",
    "dbus-broker-launch",
    "dbus-daemon",
    "dockerd",
    "k3s",
    "kubelet",
    "sshd",
    "sshd-auth",
    "sshd-session",
    "systemd-journald",
    "systemd-logind",
    "systemd-machined",
    "systemd-networkd",
    "systemd-udevd",
];

/// Bytes of a name that the kernel keeps as `comm` (`TASK_COMM_LEN` less its zero).
const COMM: usize = 15;

/// `PF_KTHREAD` of `include/linux/sched.h`, v6.12.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Kernel threads that the kernel puts into the cgroup of the virtual machine they serve
/// (`drivers/vhost/vhost.c vhost_attach_cgroups()`, v6.1).
const OF_A_MACHINE: &str = "vhost-";

/// Makes the [`Tree`] for a decision, fresh from cgroupfs and `/proc`.
#[derive(Debug)]
pub(crate) struct Lookout {
    layout: Arc<Layout>,
    own_pid: u32,
    /// Inode of pid 1's PID namespace; `None` where it may not be read.
    namespace: Option<u64>,
}

impl Lookout {
    /// On the host of this layout.
    #[must_use]
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self {
            layout,
            own_pid: std::process::id(),
            namespace: inode("/proc/1/ns/pid".as_ref()),
        }
    }

    /// All that is at or below `sites`, and the anchors. `known` are the workloads whose names and
    /// labels are known; those made since are known by their path alone.
    ///
    /// # Errors
    /// A site is gone, or an anchor cannot be placed: then nothing is certain.
    pub(crate) fn look(
        &self,
        sites: &[Site],
        guardian: Option<u32>,
        known: &[Arc<Workload>],
    ) -> io::Result<Tree> {
        let mut tree = Tree::default();
        let anchors = [
            ("pid 1", Some(1)),
            ("the agent", Some(self.own_pid)),
            ("the agent's guardian", guardian),
        ];
        for (what, pid) in anchors {
            let Some(pid) = pid else { continue };
            match placement_of(pid) {
                Ok(placement) => tree.anchors.push(Anchor { what, placement }),
                // It ended just now: there is nobody to protect.
                Err(_) if Some(pid) == guardian => {}
                Err(error) => return Err(error),
            }
        }
        let mut pids = BTreeSet::new();
        for site in sites {
            let Some(hierarchy) = self.layout.hierarchy(site.hierarchy) else {
                continue;
            };
            for path in below(hierarchy, site)? {
                let procs = hierarchy.directory(&path).map(|at| at.join("cgroup.procs"));
                // Gone since, or threaded: then its domain, above it, lists the processes.
                let procs = procs.and_then(|file| fs::read_to_string(file).ok());
                let listed = procs.unwrap_or_default();
                pids.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
                tree.cgroups.push(Cgroup {
                    identity: identity(known, site, &path),
                    site: Site {
                        hierarchy: site.hierarchy,
                        path,
                    },
                });
            }
        }
        let residents = pids.into_iter().filter_map(|pid| self.resident(pid));
        tree.residents = residents.collect();
        Ok(tree)
    }

    /// The process, if it is one that protects its cgroup. What runs in a container or is not root's
    /// protects nothing, however it is called.
    #[must_use]
    pub(crate) fn resident(&self, pid: u32) -> Option<Resident> {
        let process = Path::new("/proc").join(pid.to_string());
        let stat = fs::read(process.join("stat")).ok()?;
        let (comm, flags) = comm_and_flags(&String::from_utf8_lossy(&stat))?;
        let program = if flags & KERNEL_THREAD != 0 {
            if comm.starts_with(OF_A_MACHINE) {
                return None;
            }
            format!("kernel thread {comm}")
        } else {
            let daemon = daemon(&comm, &process)?;
            let of_the_host = inode(&process.join("ns/pid")) == self.namespace;
            let of_root = fs::metadata(&process).is_ok_and(|metadata| metadata.uid() == 0);
            if !of_the_host || !of_root {
                return None;
            }
            daemon.to_owned()
        };
        let placement = placement_of(pid).ok()?;
        Some(Resident {
            pid,
            program,
            placement,
        })
    }
}

/// The site and every cgroup below it.
fn below(hierarchy: &Hierarchy, site: &Site) -> io::Result<Vec<String>> {
    let directory = hierarchy
        .directory(&site.path)
        .ok_or(io::ErrorKind::NotFound)?;
    let part = Hierarchy {
        mount: directory,
        root: site.path.clone(),
        ..hierarchy.clone()
    };
    let found = scan(&part)?.into_iter();
    Ok(found.map(|cgroup| cgroup.path).collect())
}

fn identity(known: &[Arc<Workload>], site: &Site, path: &str) -> Arc<Identity> {
    let at = |workload: &&Arc<Workload>| {
        let placed = workload.placement.paths.get(&site.hierarchy);
        placed.is_some_and(|placed| placed == path)
    };
    known.iter().find(at).map_or_else(
        || Arc::new(classify(path)),
        |workload| Arc::clone(&workload.identity),
    )
}

/// Which daemon it is; the name is looked at first, because it is in what was read already.
fn daemon(comm: &str, process: &Path) -> Option<&'static str> {
    let named = |daemon: &&&str| daemon.get(..COMM).unwrap_or(daemon) == comm;
    DAEMONS.iter().find(named)?;
    let program = fs::read_link(process.join("exe")).ok()?;
    let name = program.file_name()?.to_str()?;
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    DAEMONS.iter().find(|daemon| **daemon == name).copied()
}

/// Of `/proc/PID/stat`; the name may hold anything, parentheses too.
fn comm_and_flags(stat: &str) -> Option<(String, u32)> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, comm) = before.split_once('(')?;
    let flags = after.split_whitespace().nth(6)?.parse().ok()?;
    Some((comm.to_owned(), flags))
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn flags_come_after_any_name() {
        let stat = "7 (a) (b) c) S 2 0 0 0 -1 2129984 0 0 0\n";
        assert_eq!(comm_and_flags(stat), Some(("a) (b) c".into(), 2_129_984)));
        assert_eq!(comm_and_flags("7 (x) S 2"), None);
    }

    #[test]
    fn this_process_is_no_daemon_and_kthreadd_is_a_resident() {
        let lookout = Lookout::new(Arc::new(Layout::detect().unwrap()));
        assert!(lookout.resident(std::process::id()).is_none());
        // A container has no kernel threads.
        if fs::read_to_string("/proc/2/comm").is_ok_and(|comm| comm == "kthreadd\n") {
            let resident = lookout.resident(2).unwrap();
            assert_eq!(resident.program, "kernel thread kthreadd");
        }
    }

    #[test]
    fn a_site_that_is_gone_is_an_error() {
        let layout = Arc::new(Layout::detect().unwrap());
        let hierarchy = layout.hierarchies()[0].id;
        let site = Site {
            hierarchy,
            path: "/plimsoll-test-never-made".into(),
        };
        assert!(Lookout::new(layout).look(&[site], None, &[]).is_err());
    }
}
