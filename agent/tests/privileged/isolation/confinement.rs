//! What a container may do.

use std::fs;
use std::path::Path;

use plimsoll::engine::spec::Files;
use serde_json::json;

use super::workload::{Ready, bind, say, told};
use crate::launch::bundle::Dock;
use crate::support::installed;

const STATUS: &str = "grep -E '^(CapBnd|CapEff|Seccomp|NoNewPrivs|Uid|Gid|Groups)' /proc/self/status \
                      | tr -s '\\t ' ' '";

#[test]
fn a_container_is_confined_as_dockers_are() {
    let Some(dock) = Dock::new("a_container_is_confined_as_dockers_are") else {
        return;
    };
    // include/uapi/linux/capability.h: Docker's fourteen.
    let status = told(&dock, "a", STATUS, &json!({}));
    for line in [
        "CapEff: 00000000a80425fb",
        "CapBnd: 00000000a80425fb",
        "Seccomp: 2",
        "NoNewPrivs: 0",
    ] {
        assert!(status.contains(line), "{status}");
    }
    let body = json!({"User": "1000:1001", "HostConfig": {"GroupAdd": ["50"],
        "SecurityOpt": ["no-new-privileges"], "CapAdd": ["NET_ADMIN"]}});
    let (status, _) = say(&dock, "b", STATUS, &body, &Ready::default());
    for line in [
        "Uid: 1000 1000 1000 1000",
        "Gid: 1001 1001 1001 1001",
        "Groups: 50 1001",
        "CapEff: 0000000000000000",
        "CapBnd: 00000000a80435fb",
        "NoNewPrivs: 1",
        "Seccomp: 2",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let dropped = json!({"CapDrop": ["ALL"], "SecurityOpt": ["seccomp=unconfined"]});
    let status = told(&dock, "c", STATUS, &dropped);
    assert!(status.contains("CapBnd: 0000000000000000"), "{status}");
    assert!(status.contains("Seccomp: 0"), "{status}");
}

#[test]
fn privileged_is_what_the_starter_holds() {
    let Some(dock) = Dock::new("privileged_is_what_the_starter_holds") else {
        return;
    };
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own
        .lines()
        .find(|line| line.starts_with("CapEff"))
        .unwrap()
        .replace('\t', " ");
    let line = format!(
        "{STATUS}; test -e /dev/mem || test -e /dev/kmsg && echo devices; \
                        test -w /proc/sys/kernel/domainname && echo writable"
    );
    let said = told(&dock, "a", &line, &json!({"Privileged": true}));
    for line in [own.as_str(), "Seccomp: 0", "devices", "writable"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn a_profile_of_ones_own_is_loaded() {
    let Some(dock) = Dock::new("a_profile_of_ones_own_is_loaded") else {
        return;
    };
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO",
             "includes": {"caps": ["CAP_NET_ADMIN"]}}
        ]
    });
    let host = json!({"SecurityOpt": [format!("seccomp={profile}")]});
    let said = told(
        &dock,
        "a",
        "mkdir /tmp/x 2>&1; chmod 700 /tmp && echo changed",
        &host,
    );
    // EOPNOTSUPP, which mkdir itself does not give.
    assert!(said.contains("Operation not supported"), "{said}");
    assert!(said.contains("changed"), "{said}");
}

#[test]
fn what_leads_out_fails() {
    let Some(dock) = Dock::new("what_leads_out_fails") else {
        return;
    };
    let line = "unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1; \
                mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk 2>&1; \
                echo 1 > /proc/sys/kernel/panic; echo x > /proc/sys/kernel/core_pattern; \
                cat /proc/kcore | head -c 1 | wc -c; ls /sys/firmware | wc -l; \
                for one in /sys/fs/cgroup /sys/fs/cgroup/*; do \
                test -e $one/cgroup.procs && mkdir $one/x; done; hostname other; true";
    let said = told(&dock, "a", &format!("({line}) 2>&1"), &json!({}));
    let denied = said.matches("Operation not permitted").count();
    assert!(denied >= 3, "{said}");
    assert!(said.matches("Read-only file system").count() >= 3, "{said}");
    assert!(said.contains("\n0\n0\n"), "{said}");
    assert_eq!(
        fs::metadata(dock.file("rootfs").join("tmp/disk")).is_ok(),
        said.contains("disk")
    );
    let _made_by_the_test = fs::remove_file(dock.file("rootfs").join("tmp/disk"));
}

#[test]
fn mounts_are_as_asked() {
    let Some(dock) = Dock::new("mounts_are_as_asked") else {
        return;
    };
    let volume = dock.file("volume");
    fs::create_dir(&volume).unwrap();
    let hosts = dock.file("hosts");
    fs::write(&hosts, "127.0.0.9 engine\n").unwrap();
    let ready = Ready {
        mounts: vec![
            bind(&volume, "/data", &["rbind"]),
            bind(&volume, "/fixed", &["rbind", "ro"]),
        ],
        files: Files {
            hosts: Some(hosts),
            ..Files::default()
        },
        ..Ready::default()
    };
    let line = "pwd; cat /etc/hosts; echo seen > /data/file; cat /fixed/file; echo no 2>&1 > /fixed/file; \
                echo no 2>&1 > /root.txt; echo yes > /scratch/x && echo scratched; \
                grep -E ' (/scratch|/dev/shm|/data|/fixed) ' /proc/self/mountinfo";
    let body = json!({"WorkingDir": "/data/deep/er", "HostConfig": {"ReadonlyRootfs": true,
        "Tmpfs": {"/scratch": "size=64k,mode=1770"}, "ShmSize": 1_048_576}});
    let (said, _) = say(&dock, "a", &format!("({line}) 2>&1"), &body, &ready);
    for words in [
        "/data/deep/er",
        "127.0.0.9 engine",
        "seen",
        "scratched",
        "size=64k",
        "size=1024k",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    let flags = said
        .lines()
        .find(|line| line.contains(" /scratch "))
        .unwrap();
    assert!(flags.contains("nosuid,nodev,noexec"), "{flags}");
    // No field of propagation: what the host mounts does not come in.
    let data = said.lines().find(|line| line.contains(" /data ")).unwrap();
    assert!(
        !data.contains("master:") && !data.contains("shared:"),
        "{data}"
    );
    assert!(volume.join("deep/er").is_dir());
}

#[test]
fn devices_are_those_asked_for() {
    let Some(dock) = Dock::new("devices_are_those_asked_for") else {
        return;
    };
    let host = json!({
        "Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/log/kernel",
            "CgroupPermissions": "r"}],
        "DeviceCgroupRules": ["c 1:2 r"],
        // Which the kernel asks for besides, for this one.
        "CapAdd": ["SYSLOG"]
    });
    let line = "ls -l /dev/log/kernel; (echo x > /dev/log/kernel) 2>&1; \
                (exec 3< /dev/log/kernel) && echo opened; \
                mknod /tmp/other c 1 11; (exec 3< /tmp/other) && echo through another name; \
                mknod /tmp/port c 1 4; (exec 3< /tmp/port) 2>&1; rm -f /tmp/other /tmp/port";
    let said = told(&dock, "a", line, &host);
    assert!(said.contains("1,  11"), "{said}");
    assert!(
        said.contains("opened") && said.contains("through another name"),
        "{said}"
    );
    // Written, and another device read.
    assert_eq!(said.matches("Operation not permitted").count(), 2, "{said}");
}

#[test]
fn clone_makes_processes_and_no_namespaces() {
    let test = "clone_makes_processes_and_no_namespaces";
    let Some(dock) = Dock::new(test) else {
        return;
    };
    if !installed(test, "perl") {
        return;
    }
    // CLONE_NEWUSER, then nothing; busybox only has `unshare`. Unbuffered: the child has a copy of what is.
    let clone = nix::libc::SYS_clone;
    let line = format!(
        "exec chroot /host perl -e '$| = 1; for $flag (0x10000000, 0) {{ \
         $r = syscall({clone}, $flag | 17, 0, 0, 0, 0); exit 0 if $r == 0; \
         print $r > 0 ? \"made\" : $! + 0, \"\\n\"; }}'"
    );
    let ready = Ready {
        mounts: vec![
            bind(Path::new("/"), "/host", &["bind", "ro"]),
            bind(Path::new("/dev"), "/host/dev", &["bind"]),
        ],
        ..Ready::default()
    };
    let (said, _) = say(&dock, "a", &line, &json!({}), &ready);
    assert_eq!(said, "1\nmade\n");

    // Where the flag is not set, EOPNOTSUPP; where it is, the kernel says EPERM because of `chroot`.
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95,
         "args": [{"index": 0, "value": 0x1000_0000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}]});
    let body = json!({"HostConfig": {"SecurityOpt": [format!("seccomp={profile}")]}});
    let (said, _) = say(&dock, "b", &line, &body, &ready);
    assert_eq!(said, "1\n95\n");
}
