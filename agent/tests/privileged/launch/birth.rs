//! How processes come into a workload's cgroup: the kernel tells of each that is moved
//! (`cgroup:cgroup_attach_task`).

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll::launch::shim::Stdio;
use rustix::fs::{CWD, statfs};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, UnmountFlags,
    fsconfig_create, fsmount, fsopen, mount, mount_bind, mount_change, unmount,
};
use serde_json::{Value, json};

use super::bundle::{Dock, make_rootfs, placement};
use super::cgroups::kill;
use crate::support::{poll, skip};

const EVENT: &str = "events/cgroup/cgroup_attach_task/enable";
/// include/uapi/linux/magic.h
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
static MADE: AtomicU32 = AtomicU32::new(0);

/// A buffer of the kernel's for this test alone; it goes when this is dropped.
struct Moves {
    /// The file system is mounted nowhere.
    _tracefs: OwnedFd,
    instance: PathBuf,
}

/// One process that was moved.
#[derive(Debug)]
struct Move {
    /// The hierarchy's number; cgroup2 has 0.
    root: u32,
    path: String,
    pid: u32,
    comm: String,
}

impl Moves {
    fn watch(test: &str) -> Option<Self> {
        let tracefs = || {
            let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_create(&context)?;
            let flags = FsMountFlags::FSMOUNT_CLOEXEC;
            fsmount(&context, flags, MountAttrFlags::empty())
        };
        let Ok(tracefs) = tracefs() else {
            skip(test, "no tracefs");
            return None;
        };
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("plimsoll-test-{}-{number}", std::process::id());
        let root = PathBuf::from(format!("/proc/self/fd/{}", tracefs.as_raw_fd()));
        if !root.join(EVENT).exists() {
            skip(test, "no tracepoint cgroup:cgroup_attach_task");
            return None;
        }
        let moves = Self {
            instance: root.join("instances").join(name),
            _tracefs: tracefs,
        };
        fs::create_dir(&moves.instance).unwrap();
        fs::write(moves.instance.join(EVENT), "1").unwrap();
        Some(moves)
    }

    fn so_far(&self) -> Vec<Move> {
        let text = fs::read_to_string(self.instance.join("trace")).unwrap();
        let lines = text.lines().filter(|line| line.contains("dst_path="));
        let moved = lines.map(|line| {
            let field = |name: &str| {
                let (_, rest) = line.split_once(&format!(" {name}=")).unwrap();
                rest.split(' ').next().unwrap().to_owned()
            };
            Move {
                root: field("dst_root").parse().unwrap(),
                path: field("dst_path"),
                pid: field("pid").parse().unwrap(),
                comm: field("comm"),
            }
        });
        moved.collect()
    }

    /// Those into a cgroup, or one below it.
    fn entering(&self, path: &str) -> Vec<Move> {
        let mut moves = self.so_far();
        moves.retain(|one| Path::new(&one.path).starts_with(path));
        moves
    }
}

impl Drop for Moves {
    fn drop(&mut self) {
        fs::remove_dir(&self.instance).unwrap();
    }
}

/// A process that is moved by its pid waits for an RCU grace period; one that moves itself on v1 does not.
fn assert_born(moves: &Moves, path: &str, own: &[u32]) {
    for moved in moves.entering(path) {
        assert_ne!(moved.root, 0, "nobody is moved in cgroup2: {moved:?}");
        assert!(!own.contains(&moved.pid), "{own:?}: {moved:?}");
        assert_eq!(moved.comm, "plimsoll-shim", "{moved:?}");
    }
}

#[test]
fn nobody_is_moved_into_a_workloads_cgroup() {
    let test = "nobody_is_moved_into_a_workloads_cgroup";
    let (Some(dock), Some(moves)) = (Dock::new(test), Moves::watch(test)) else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let request = dock.join_request("a", "b", "sleep 1000", Stdio::Null);
    let mut joined = dock.spare().join(request, None).unwrap();
    let path = format!("{}/a", dock.parent);
    let own = [held.made.process.pid, joined.made.process.pid];
    for pid in own {
        assert!(placement(pid).values().all(|own| *own == path));
    }
    // That the shims are moved is seen, so that of others would be.
    assert!(!moves.entering(&format!("{}/shims", dock.parent)).is_empty());
    assert_born(&moves, &path, &own);

    kill(held.made.process.pid);
    held.wait().unwrap();
    joined.wait().unwrap();
    held.reap().unwrap();
    joined.reap().unwrap();
    // What the workload sees is what it would see otherwise: itself.
    let line = "cat /proc/self/cgroup; cat $(find /sys/fs/cgroup -name cgroup.procs) | sort -u";
    let (said, code) = dock.say("c", line, |_| {});
    assert_eq!(code, 0, "{said}");
    let (cgroups, pids): (Vec<_>, Vec<_>) = said.lines().partition(|line| line.contains(':'));
    assert!(
        !cgroups.is_empty() && cgroups.iter().all(|line| line.ends_with(":/")),
        "{said}"
    );
    assert!(pids.contains(&"1"), "{said}");
    assert_born(&moves, &format!("{}/c", dock.parent), &[]);
}

#[test]
fn one_that_joins_is_born_where_the_first_process_went() {
    let test = "one_that_joins_is_born_where_the_first_process_went";
    let (Some(dock), Some(moves)) = (Dock::new(test), Moves::watch(test)) else {
        return;
    };
    let found = statfs("/sys/fs/cgroup").unwrap();
    if found.f_type != CGROUP2_SUPER_MAGIC {
        return skip(
            test,
            "v1 controllers: workloads have no cgroups of their own to manage",
        );
    }
    let line = "cd /sys/fs/cgroup && mkdir deep && echo 1 > deep/cgroup.procs \
        && echo +pids > cgroup.subtree_control && sleep 1000";
    let writable = |spec: &mut Value| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let view = mounts.iter_mut().find(|mount| mount["type"] == "cgroup");
        view.unwrap()["options"] = json!(["nosuid", "noexec", "nodev", "relatime", "rw"]);
    };
    let mut held = dock.create("a", line, Stdio::Null, writable).unwrap();
    held.start().unwrap();
    let own = format!("{}/a", dock.parent);
    let directory = Path::new("/sys/fs/cgroup").join(own.trim_start_matches('/'));
    let handed = || fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap();
    poll("controllers are handed down", || {
        handed().contains("pids").then_some(())
    });

    let request = dock.join_request("a", "b", "sleep 1000", Stdio::Null);
    let mut joined = dock.spare().join(request, None).unwrap();
    let placed = placement(joined.made.process.pid);
    let deep = format!("{own}/deep");
    assert_eq!(placed.values().collect::<Vec<_>>(), [&deep]);
    // The first process moved itself.
    let moved = moves.entering(&own);
    let others = moved.iter().filter(|one| one.pid != held.made.process.pid);
    assert_eq!(others.count(), 0, "{moved:?}");

    kill(held.made.process.pid);
    held.wait().unwrap();
    joined.wait().unwrap();
    held.reap().unwrap();
    joined.reap().unwrap();
}

/// Root file systems side by side, as the engine mounts them.
struct Street(PathBuf);

impl Street {
    fn new(directory: PathBuf) -> Self {
        fs::create_dir(&directory).unwrap();
        mount_bind(&directory, &directory).unwrap();
        let street = Self(directory);
        mount_change(&street.0, MountPropagationFlags::PRIVATE).unwrap();
        for name in ["a", "b"] {
            let target = street.0.join(name);
            fs::create_dir(&target).unwrap();
            mount("tmpfs", &target, "tmpfs", MountFlags::empty(), None).unwrap();
            make_rootfs(&target);
            fs::write(target.join("whose"), name).unwrap();
        }
        // So many that it is worth leaving them out.
        for number in 0..40 {
            fs::create_dir(street.0.join(number.to_string())).unwrap();
        }
        street
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_neighbours_root_is_there_for_who_asks() {
    let Some(dock) = Dock::new("a_neighbours_root_is_there_for_who_asks") else {
        return;
    };
    let street = Street::new(dock.file("street"));
    let say = |id: &str, line: &str, source: Option<PathBuf>| {
        dock.say(id, line, |spec| {
            spec["root"]["path"] = json!(street.0.join("a"));
            if let Some(source) = source {
                let mounts = spec["mounts"].as_array_mut().unwrap();
                mounts.push(
                    json!({"destination": "/mnt", "type": "bind", "source": source,
                    "options": ["rbind", "ro"]}),
                );
            }
        })
    };
    assert_eq!(say("x", "cat /whose", None), ("a".to_owned(), 0));
    let beside = Some(street.0.join("b"));
    assert_eq!(
        say("y", "cat /whose /mnt/whose", beside),
        ("ab".to_owned(), 0)
    );
    let above = Some(dock.directory.path().to_owned());
    let line = "cat /mnt/street/a/whose /mnt/street/b/whose";
    assert_eq!(say("z", line, above), ("ab".to_owned(), 0));
    // And nothing was unmounted where it was mounted.
    let flags = rustix::fs::AtFlags::empty();
    let is_mounted = |name: &str| {
        let found = rustix::fs::statx(
            CWD,
            street.0.join(name),
            flags,
            rustix::fs::StatxFlags::empty(),
        );
        let root = rustix::fs::StatxAttributes::MOUNT_ROOT;
        found.unwrap().stx_attributes.contains(root)
    };
    assert!(is_mounted("a") && is_mounted("b"));
}
