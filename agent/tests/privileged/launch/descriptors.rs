//! What a process has open while its program is looked up, along paths that the workload's own files may lead anywhere.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::libc;
use plimsoll::launch::shim::Stdio;
use serde_json::json;

use super::bundle::{Dock, mounts};
use crate::support::{poll, skip};

/// include/uapi/asm-generic/fcntl.h
const F_SETSIG: libc::c_int = 10;

/// Keeps a program from being opened, by whoever wants to execute it, until it is dropped.
struct Held(File);

impl Held {
    /// `None`: this file system does not do that.
    fn back(program: &Path) -> Option<Self> {
        let file = File::open(program).unwrap();
        let fcntl = |command, argument: libc::c_int| {
            // SAFETY: no memory is handed over.
            unsafe { libc::fcntl(file.as_raw_fd(), command, argument) }
        };
        // SIGIO would end this process.
        assert_eq!(fcntl(F_SETSIG, libc::SIGURG), 0);
        // Another test's fork may still have it open.
        let held = poll("a lease", || match fcntl(libc::F_SETLEASE, libc::F_WRLCK) {
            0 => Some(true),
            _ => match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN | libc::EBUSY) => None,
                _ => Some(false),
            },
        });
        held.then_some(Self(file))
    }

    /// Until somebody waits to open it.
    fn await_somebody(&self) {
        poll("somebody who executes it", || {
            // SAFETY: no memory is handed over.
            let lease = unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) };
            (lease != libc::F_WRLCK).then_some(())
        });
    }
}

/// What processes of the workload with this first one have open beside their standard streams, and would not leave to
/// their programs.
fn open_in(dock: &Dock, id: &str, init: u32) -> Vec<String> {
    let lists = mounts().into_iter().map(|mount| {
        let own = mount.join(dock.parent.trim_start_matches('/')).join(id);
        fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default()
    });
    let mut pids: Vec<String> = lists
        .flat_map(|list| list.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    pids.sort();
    pids.dedup();
    // Who makes one is in the cgroup, too, but has the host's files.
    let files = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let own = files(&init.to_string());
    pids.retain(|pid| files(pid) == own);
    assert_ne!(pids, Vec::<String>::new());
    let mut open = Vec::new();
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let path = entry.unwrap().path();
            let number = path.file_name().unwrap().to_str().unwrap();
            let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            if flags & libc::O_CLOEXEC != 0 && number.parse::<u32>().unwrap() > 2 {
                open.push(fs::read_link(&path).unwrap().display().to_string());
            }
        }
    }
    open
}

#[test]
fn a_program_is_looked_up_with_nothing_of_the_hosts_open() {
    let test = "a_program_is_looked_up_with_nothing_of_the_hosts_open";
    let Some(dock) = Dock::new(test) else { return };
    let program = dock.file("rootfs/held/true");
    fs::create_dir(dock.file("rootfs/held")).unwrap();
    fs::copy(dock.file("rootfs/bin/busybox"), &program).unwrap();
    let looked_up = |id: &str, init: u32, work: &mut dyn FnMut()| {
        let Some(held) = Held::back(&program) else {
            return false;
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                held.await_somebody();
                let open = open_in(&dock, id, init);
                drop(held);
                // Its starter is told by pipes why it could not be started.
                let leads_on = open.iter().filter(|name| !name.starts_with("pipe:"));
                assert_eq!(leads_on.collect::<Vec<_>>(), Vec::<&String>::new(), "{id}");
            });
            work();
        });
        true
    };
    let made = dock.create("a", "", Stdio::Null, |spec| {
        spec["process"]["args"] = json!(["/held/true"]);
    });
    let mut made = made.unwrap();
    let is_held = looked_up("a", made.made.process.pid, &mut || made.start().unwrap());
    if !is_held {
        skip(test, "no leases on this file system");
        made.start().unwrap();
    }
    assert_eq!(made.wait().unwrap().code, 0);
    made.reap().unwrap();
    if !is_held {
        return;
    }
    let mut within = dock.run("b", "sleep 1000", Stdio::Null);
    let init = within.made.process.pid;
    let mut join = || {
        let request = dock.join_request("b", "c", "", Stdio::Null);
        let process = fs::read_to_string(&request.process).unwrap();
        let process = process.replace("\"sh\",\"-c\",\"\"", "\"/held/true\"");
        assert!(process.contains("/held"), "{process}");
        fs::write(&request.process, process).unwrap();
        let mut joined = dock.spare().join(request, None).unwrap();
        assert_eq!(joined.wait().unwrap().code, 0);
        joined.reap().unwrap();
    };
    assert!(looked_up("b", init, &mut join));
    super::cgroups::kill(init);
    within.wait().unwrap();
    within.reap().unwrap();
}
