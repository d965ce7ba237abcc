//! What a workload cannot do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use plimsoll::cgroup::{Layout, Mode};
use plimsoll::launch::shim::Stdio;
use serde_json::json;

use super::bundle::{Dock, mounts};
use super::cgroups::kill;
use crate::support::skip;

#[test]
fn capabilities_and_filter_are_those_asked_for_first_or_joined() {
    let Some(dock) = Dock::new("capabilities_and_filter_are_those_asked_for_first_or_joined")
    else {
        return;
    };
    let lines = "grep -E '^(Cap(Prm|Eff|Bnd|Amb)|Seccomp:|SigBlk|SigIgn)' /proc/self/status; \
                 hostname other 2>&1; id -u";
    let (first, _) = dock.say("a", lines, |_| {});
    // Docker's fourteen capabilities: include/uapi/linux/capability.h.
    for line in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(
            first.contains(&format!("{line}:\t00000000a80425fb")),
            "{first}"
        );
    }
    assert!(first.contains("CapAmb:\t0000000000000000"), "{first}");
    assert!(first.contains("Seccomp:\t2"), "{first}");
    assert!(first.contains("SigBlk:\t0000000000000000"), "{first}");
    // Of the standard signals none; others may be ignored by whoever runs the tests.
    let ignored = first
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:\t"));
    let ignored = u64::from_str_radix(ignored.unwrap(), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "{first}");
    // EOPNOTSUPP is the filter's doing: without it CAP_SYS_ADMIN would be missing, EPERM.
    assert!(first.contains("Operation not supported"), "{first}");

    let mut held = dock.run("b", "sleep 1000", Stdio::Null);
    let out = dock.file("joined");
    let file = fs::File::create(&out).unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    let request = dock.join_request("b", "c", lines, Stdio::Inherit);
    use std::os::fd::AsFd;
    let stdio = [null.as_fd(), file.as_fd(), file.as_fd()];
    let mut joined = dock.spare().join(request, Some(stdio)).unwrap();
    assert_eq!(joined.wait().unwrap().code, 0);
    joined.reap().unwrap();
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        first,
        "joined as the first"
    );
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn no_cgroup_file_can_be_written_from_inside() {
    let Some(dock) = Dock::new("no_cgroup_file_can_be_written_from_inside") else {
        return;
    };
    let line = "for f in $(find /sys/fs/cgroup -type f); do \
                if (echo 1 > $f) 2>/dev/null; then echo wrote $f; fi; done; \
                find /sys/fs/cgroup -name cgroup.procs | wc -l";
    for access in ["ro", "rw"] {
        let is_v1 = mounts().len() > 1;
        if access == "rw" && !is_v1 {
            // Its own v2 cgroup it may have when its bundle asks, to freeze itself with.
            continue;
        }
        let (said, _) = dock.say(access, line, |spec| {
            let mounts = spec["mounts"].as_array_mut().unwrap();
            mounts.last_mut().unwrap()["options"] = json!([access, "nodev"]);
        });
        let mut lines: Vec<&str> = said.lines().collect();
        let seen: usize = lines.pop().unwrap().parse().unwrap();
        assert!(seen > 0, "it does see its cgroups");
        assert_eq!(lines, Vec::<&str>::new(), "{access}");
    }
}

#[test]
fn devices_may_be_made_and_not_used() {
    let Some(dock) = Dock::new("devices_may_be_made_and_not_used") else {
        return;
    };
    // 1:1 is /dev/mem, 1:5 /dev/zero.
    let line = "mknod /dev/a c 1 1 && mknod /dev/b c 1 5 && mknod /dev/d b 7 0; \
                head -c 1 /dev/a 2>&1; head -c 3 /dev/b | wc -c; head -c 1 /dev/d 2>&1";
    let (said, _) = dock.say("a", line, |_| {});
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].contains("Operation not permitted"), "{said}");
    assert_eq!(lines[1], "3");
    assert!(lines[2].contains("Operation not permitted"), "{said}");
}

#[test]
fn a_root_file_system_that_leads_astray_is_refused() {
    let Some(dock) = Dock::new("a_root_file_system_that_leads_astray_is_refused") else {
        return;
    };
    let victim = dock.file("victim");
    fs::create_dir(&victim).unwrap();
    for name in ["dev", "proc", "sys"] {
        let rootfs = dock.file(&format!("hostile-{name}"));
        fs::create_dir(&rootfs).unwrap();
        symlink(&victim, rootfs.join(name)).unwrap();
        let made = dock.create(name, "true", Stdio::Null, |spec| {
            spec["root"]["path"] = json!(rootfs);
        });
        let refusal = made.map(drop).unwrap_err().to_string();
        assert!(refusal.contains(&format!("/{name}")), "{refusal}");
        assert!(refusal.contains("symbolic link"), "{refusal}");
        assert!(!dock.state(name).exists());
    }
    assert_eq!(
        fs::read_dir(victim).unwrap().count(),
        0,
        "nothing was made there"
    );
}

#[test]
fn the_hosts_devices_are_not_mounted_over_dev() {
    let Some(dock) = Dock::new("the_hosts_devices_are_not_mounted_over_dev") else {
        return;
    };
    let made = dock.create("a", "true", Stdio::Null, |spec| {
        spec["mounts"][1] = json!({"destination": "/dev", "source": "/dev", "type": "bind",
            "options": ["rbind"]});
    });
    let refusal = made.map(drop).unwrap_err().to_string();
    assert!(refusal.contains("bind mount at /dev"), "{refusal}");
    // Without any /dev mount it still gets one of its own.
    let (said, _) = dock.say("b", "mount | grep 'on /dev '; ls -l /dev/null", |spec| {
        spec["mounts"].as_array_mut().unwrap().remove(1);
    });
    assert!(said.contains("tmpfs on /dev type tmpfs"), "{said}");
    assert!(said.contains("1,   3"), "{said}");
}

#[test]
fn nothing_is_mounted_over_the_root() {
    let Some(dock) = Dock::new("nothing_is_mounted_over_the_root") else {
        return;
    };
    for (id, place) in [("a", "/"), ("b", "/tmp/..")] {
        let made = dock.create(id, "true", Stdio::Null, |spec| {
            let mount = json!({"destination": place, "source": dock.file("rootfs"),
                "type": "bind", "options": ["rbind"]});
            spec["mounts"].as_array_mut().unwrap().push(mount);
        });
        let refusal = made.map(drop).unwrap_err().to_string();
        assert!(refusal.contains("over the root file system"), "{refusal}");
        assert!(!dock.state(id).exists());
    }
}

#[test]
fn our_executable_cannot_be_overwritten_through_proc() {
    let Some(dock) = Dock::new("our_executable_cannot_be_overwritten_through_proc") else {
        return;
    };
    // The first process waits as our executable, in the workload's namespaces, until it is started: what
    // leads to our file is open to whoever is root in there.
    let held = dock.create("a", "sleep 1000", Stdio::Null, |_| {}).unwrap();
    let exe = format!("/proc/{}/exe", held.made.process.pid);
    let before = fs::metadata(env!("CARGO_BIN_EXE_plimsoll")).unwrap();
    let opened = fs::File::options().write(true).open(&exe);
    // ETXTBSY only as long as it runs; EROFS, or EPERM of the sealed copy, for ever.
    let error = opened.map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem) || is_memory(&exe),
        "{error}"
    );
    let after = fs::metadata(env!("CARGO_BIN_EXE_plimsoll")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    kill(held.made.process.pid);
    let mut held = held;
    held.wait().unwrap();
    held.reap().unwrap();
}

fn is_memory(exe: &str) -> bool {
    fs::read_link(exe)
        .unwrap()
        .starts_with(Path::new("/memfd:plimsoll"))
}

#[test]
fn what_cannot_be_enforced_is_refused_by_name() {
    let Some(dock) = Dock::new("what_cannot_be_enforced_is_refused_by_name") else {
        return;
    };
    let made = dock.create("a", "true", Stdio::Null, |spec| {
        spec["linux"]["resources"]["rdma"] = json!({"mlx5_1": {"hcaHandles": 3}});
    });
    let refusal = made.map(drop).unwrap_err().to_string();
    assert!(refusal.contains("rdma"), "{refusal}");
    assert!(!dock.state("a").exists());
}

/// A host is hybrid by any hierarchy of v1, also one that has nothing to do with devices.
#[test]
fn disks_are_forbidden_beside_a_hierarchy_without_devices() {
    let test = "disks_are_forbidden_beside_a_hierarchy_without_devices";
    let Some(dock) = Dock::new(test) else { return };
    if Layout::detect().unwrap().mode() != Mode::Unified {
        return skip(test, "not a v2 host");
    }
    let named = dock.file("named");
    fs::create_dir(&named).unwrap();
    let line = "mknod /tmp/disk b 8 0; head -c 1 /tmp/disk 2>&1; rm /tmp/disk";
    let seen = std::thread::scope(|scope| {
        // What a thread mounts in a namespace of its own is gone with it.
        let alone = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let nothing = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(nothing, "/", nothing, private, nothing).unwrap();
            let options = Some("none,name=plimsoll-test");
            mount(
                Some("named"),
                &named,
                Some("cgroup"),
                MsFlags::empty(),
                options,
            )
            .unwrap();
            dock.say("a", line, |_| {}).0
        });
        alone.join().unwrap()
    });
    assert!(seen.contains("Operation not permitted"), "{seen}");
}
