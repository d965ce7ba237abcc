//! Filters: their form, and what the kernel makes of them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsRawFd;

use nix::libc;
use serde_json::Value;

use super::*;

fn default_for(capabilities: &[Capability]) -> LinuxSeccomp {
    let capabilities = capabilities.iter().copied().collect();
    filter(&Seccomp::Default, &capabilities).unwrap().unwrap()
}

/// Names that are allowed without a condition.
fn allowed(seccomp: &LinuxSeccomp) -> BTreeSet<String> {
    let rules = seccomp.syscalls().iter().flatten();
    let plain = rules.filter(|rule| rule.action() == ALLOW && rule.args().is_none());
    plain.flat_map(|rule| rule.names().clone()).collect()
}

#[test]
fn no_call_is_in_the_table_twice() {
    let mut names: Vec<String> = table::ALLOWED
        .iter()
        .flat_map(|cell| table::words(cell))
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn capabilities_open_what_goes_with_them() {
    let few = allowed(&default_for(&[]));
    for denied in [
        "mount",
        "unshare",
        "bpf",
        "chroot",
        "reboot",
        "keyctl",
        "io_uring_setup",
        "clone",
    ] {
        assert!(!few.contains(denied), "{denied}");
    }
    for name in ["read", "openat2", "ptrace", "pidfd_open"] {
        assert!(few.contains(name), "{name}");
    }
    assert!(allowed(&default_for(&[Capability::SysChroot])).contains("chroot"));
    let admin = allowed(&default_for(&[Capability::SysAdmin]));
    for name in ["mount", "unshare", "bpf", "clone", "clone3"] {
        assert!(admin.contains(name), "{name}");
    }
    assert!(!admin.contains("keyctl"));
}

/// Of Debian's package for podman, where it is installed: it shares its origin with Docker's.
#[test]
fn what_podman_denies_is_denied() {
    let Ok(text) = std::fs::read_to_string("/usr/share/containers/seccomp.json") else {
        return;
    };
    let profile: Value = serde_json::from_str(&text).unwrap();
    let few = allowed(&default_for(&[]));
    // Docker leaves these to everybody, the kernel asks for what it takes.
    let known = ["vmsplice", "io_pgetevents", "socket"];
    for rule in profile["syscalls"].as_array().unwrap() {
        if rule["action"] != "SCMP_ACT_ERRNO" {
            continue;
        }
        for name in rule["names"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(known.contains(&name) || !few.contains(name), "{name}");
        }
    }
}

#[test]
fn every_call_that_libseccomp_knows_has_one_answer() {
    let seccomp = default_for(&[]);
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    for rule in seccomp.syscalls().iter().flatten() {
        if rule.args().is_none() {
            for name in rule.names() {
                *answers.entry(name.clone()).or_default() += 1;
            }
        }
    }
    assert!(answers.values().all(|&count| count == 1));
    for name in known::all(&scmp(std::env::consts::ARCH)) {
        let has_condition = ["socket", "personality", "clone"].contains(&name.as_str());
        assert_ne!(answers.contains_key(&name), has_condition, "{name}");
    }
}

#[test]
fn a_profile_is_resolved_for_the_container() {
    let json = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5, "comment": "x",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}],
        "syscalls": [
            {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "",
             "includes": {}, "excludes": {}},
            {"name": "mount", "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]},
             "args": [{"index": 0, "value": 7, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["no_such_call"], "action": "SCMP_ACT_ALLOW"}
        ]}"#;
    let resolve = |capabilities: &[Capability]| {
        let capabilities: Capabilities = capabilities.iter().copied().collect();
        let circumstances = Circumstances {
            capabilities: &capabilities,
            machine: "x86_64",
            kernel: (6, 1),
        };
        Profile::parse(json)
            .unwrap()
            .resolve(&circumstances)
            .unwrap()
    };
    let plain = resolve(&[]);
    assert_eq!(plain.default_errno_ret(), Some(5));
    assert_eq!(
        plain.architectures().as_deref().unwrap(),
        [Arch::ScmpArchX86_64, Arch::ScmpArchX86]
    );
    let rules = plain.syscalls().as_deref().unwrap();
    let names: Vec<_> = rules.iter().map(|rule| rule.names().join(" ")).collect();
    assert_eq!(names, ["read", "clone"]);
    assert_eq!(rules[0].args(), &None);
    let condition = rules[1].args().as_ref().unwrap()[0];
    assert_eq!((condition.value(), condition.value_two()), (7, Some(0)));
    assert!(allowed(&resolve(&[Capability::SysAdmin])).contains("mount"));
}

#[test]
fn broken_profiles_are_refused() {
    for wrong in [
        "",
        "{}",
        r#"{"defaultAction": "SCMP_ACT_ODD"}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
            "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ERRNO"}]}"#,
        r#"{"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"name": "a", "action": "SCMP_ACT_NOTIFY"}]}"#,
    ] {
        let error = validate(&Seccomp::Profile(wrong.to_owned()))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("decoding seccomp profile failed: "),
            "{error}"
        );
    }
}

/// What calls answer in a process under the filter: its errno, 0 where it is let through.
fn answers(seccomp: &LinuxSeccomp, calls: &[(i64, [u64; 3])]) -> Vec<i32> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let filter = crate::launch::Filter::of(seccomp).unwrap();
    // SAFETY: the child has this thread only; it allocates, which glibc makes safe after fork (the
    // allocator's locks are held over it), and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: an integer for each argument.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        let loaded = filter.load();
        if let Err(error) = &loaded {
            eprintln!("the filter cannot be loaded: {error:?}");
        }
        let loaded = loaded.is_ok();
        for &(number, [a, b, c]) in calls {
            // SAFETY: the tests ask for calls without effect: with flags, families and pointers that
            // the kernel refuses by itself.
            let result = unsafe { libc::syscall(number, a, b, c, 0, 0, 0) };
            if number == libc::SYS_clone && result == 0 {
                // SAFETY: the clone's clone has nothing to do.
                unsafe { libc::_exit(0) };
            }
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            let errno = if result >= 0 { 0 } else { errno };
            let errno = if loaded { errno } else { -1 };
            let bytes = errno.to_ne_bytes();
            // SAFETY: the bytes are there.
            unsafe { libc::write(writer.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        }
        // SAFETY: ends this process without running what is the parent's.
        unsafe { libc::_exit(0) };
    }
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    let mut status = 0;
    // SAFETY: our child, and a place for its status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    bytes
        .chunks(4)
        .map(|four| i32::from_ne_bytes(four.try_into().unwrap()))
        .collect()
}

#[test]
fn the_kernel_answers_as_under_docker() {
    let child = libc::SIGCHLD.unsigned_abs().into();
    let new = |flag: i32| u64::from(flag.unsigned_abs()) | child;
    let (stream, none) = (1, [0, 0, 0]);
    // A call newer than any kernel, and one that this libseccomp may not know.
    let cases: [(&str, i64, [u64; 3], i32); 20] = [
        ("getpid", libc::SYS_getpid, none, 0),
        ("clone", libc::SYS_clone, [child, 0, 0], 0),
        (
            "clone users",
            libc::SYS_clone,
            [new(libc::CLONE_NEWUSER), 0, 0],
            EPERM,
        ),
        (
            "clone net",
            libc::SYS_clone,
            [new(libc::CLONE_NEWNET), 0, 0],
            EPERM,
        ),
        (
            "clone cgroup",
            libc::SYS_clone,
            [new(libc::CLONE_NEWCGROUP), 0, 0],
            EPERM,
        ),
        (
            "clone mounts",
            libc::SYS_clone,
            [new(libc::CLONE_NEWNS), 0, 0],
            EPERM,
        ),
        ("clone3", libc::SYS_clone3, none, ENOSYS),
        ("unshare", libc::SYS_unshare, [0, 0, 0], EPERM),
        ("mount", libc::SYS_mount, none, EPERM),
        ("keyctl", libc::SYS_keyctl, none, EPERM),
        ("bpf", libc::SYS_bpf, none, EPERM),
        ("io_uring", libc::SYS_io_uring_setup, none, EPERM),
        ("socket", libc::SYS_socket, [1, stream, 0], 0),
        (
            "vsock",
            libc::SYS_socket,
            [table::AF_VSOCK, stream, 0],
            ENOSYS,
        ),
        (
            "personality ?",
            libc::SYS_personality,
            [0xffff_ffff, 0, 0],
            0,
        ),
        ("personality 0", libc::SYS_personality, none, 0),
        (
            "no randomizing",
            libc::SYS_personality,
            [0x4_0000, 0, 0],
            EPERM,
        ),
        (
            "odd personality",
            libc::SYS_personality,
            [0x2_0009, 0, 0],
            EPERM,
        ),
        ("of the future", 1_000, none, ENOSYS),
        ("getrandom", libc::SYS_getrandom, none, 0),
    ];
    let calls: Vec<_> = cases
        .iter()
        .map(|&(_, number, arguments, _)| (number, arguments))
        .collect();
    let given = answers(&default_for(&[]), &calls);
    let expected: Vec<_> = cases
        .iter()
        .map(|&(name, _, _, errno)| (name, errno))
        .collect();
    let given: Vec<_> = cases.iter().map(|&(name, ..)| name).zip(given).collect();
    assert_eq!(given, expected);
}

#[test]
fn a_call_newer_than_libseccomp_is_answered_as_absent() {
    // fchmodat2, Linux 6.6: with EPERM for an answer the C library does not fall back.
    const FCHMODAT2: i64 = 452;
    let given = answers(&default_for(&[]), &[(FCHMODAT2, [u64::MAX, 0, 0])]);
    let expected = if known::is_known("fchmodat2") {
        libc::EFAULT
    } else {
        ENOSYS
    };
    assert_eq!(given, [expected]);
}
