//! Bundles of busybox, in a state directory and below a cgroup of the test's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use plimsoll::launch::shim::{
    CreateRequest, Held, JoinRequest, PrepareRequest, ShimError, Spare, Stdio, Zygote,
};
use plimsoll::launch::{Id, Sealed, settle};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{installed, skip};

pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_plimsoll");
static MADE: AtomicU32 = AtomicU32::new(0);

/// What a test's workloads share. Nothing of them may be left when it is dropped.
pub(crate) struct Dock {
    pub(crate) directory: TempDir,
    pub(crate) sealed: Sealed,
    /// Parent of the workloads' cgroups.
    pub(crate) parent: String,
}

impl Dock {
    /// `None`, and the test is skipped, where workloads cannot be launched.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip(test, "not root");
            return None;
        }
        (installed(test, "busybox") && has_mount_setattr(test)).then(Self::make)
    }

    /// Also where the kernel is too old.
    pub(crate) fn make() -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let dock = Self {
            directory: tempfile::tempdir().unwrap(),
            sealed: Sealed::of(Path::new(AGENT)).unwrap(),
            parent: format!("/plimsoll-test-launch-{}-{number}", std::process::id()),
        };
        make_rootfs(&dock.directory.path().join("rootfs"));
        dock
    }

    /// Directory of the state directories.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn state(&self, id: &str) -> PathBuf {
        self.root().join(id)
    }

    /// A path that no test's workload has.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A bundle that runs a shell's line.
    pub(crate) fn bundle(&self, id: &str, line: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let bundle = self.directory.path().join("bundles").join(id);
        fs::create_dir_all(&bundle).unwrap();
        let mut spec = specification();
        spec["process"]["args"] = json!(["sh", "-c", line]);
        spec["root"]["path"] = json!(self.directory.path().join("rootfs"));
        spec["linux"]["cgroupsPath"] = json!(format!("{}/{id}", self.parent));
        change(&mut spec);
        fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
        bundle
    }

    pub(crate) fn spare(&self) -> Spare {
        self.spare_in("shims").unwrap()
    }

    /// In another cgroup than shims usually are.
    pub(crate) fn spare_in(&self, home: &str) -> Result<Spare, ShimError> {
        let zygote = Zygote::start(&self.sealed, &format!("{}/{home}", self.parent)).unwrap();
        let spare = zygote.spare();
        zygote.end().unwrap();
        spare
    }

    pub(crate) fn preparation(&self, id: &str) -> PrepareRequest {
        PrepareRequest {
            id: id.parse().unwrap(),
            root: self.root(),
            cgroup: format!("{}/{id}", self.parent),
        }
    }

    pub(crate) fn request(&self, id: &str, bundle: &Path, stdio: Stdio) -> CreateRequest {
        CreateRequest {
            id: id.parse().unwrap(),
            root: self.root(),
            bundle: bundle.to_owned(),
            stdio,
            no_pivot: false,
        }
    }

    /// Made, and waiting to be started.
    pub(crate) fn create(
        &self,
        id: &str,
        line: &str,
        stdio: Stdio,
        change: impl FnOnce(&mut Value),
    ) -> Result<Held, ShimError> {
        let bundle = self.bundle(id, line, change);
        self.spare().create(self.request(id, &bundle, stdio), None)
    }

    /// Started.
    pub(crate) fn run(&self, id: &str, line: &str, stdio: Stdio) -> Held {
        let mut held = self.create(id, line, stdio, |_| {}).unwrap();
        held.start().unwrap();
        held
    }

    /// What a shell's line says in a workload made for it, and its exit status.
    pub(crate) fn say(
        &self,
        id: &str,
        line: &str,
        change: impl FnOnce(&mut Value),
    ) -> (String, u8) {
        let file = self.file(&format!("{id}.said"));
        let out = fs::File::create(&file).unwrap();
        let bundle = self.bundle(id, line, change);
        let request = self.request(id, &bundle, Stdio::Inherit);
        let null = fs::File::open("/dev/null").unwrap();
        use std::os::fd::AsFd;
        let stdio = [null.as_fd(), out.as_fd(), out.as_fd()];
        let mut held = self.spare().create(request, Some(stdio)).unwrap();
        held.start().unwrap();
        let exit = held.wait().unwrap();
        held.reap().unwrap();
        (fs::read_to_string(file).unwrap(), exit.code)
    }

    /// A request for a shell's line to join.
    pub(crate) fn join_request(
        &self,
        id: &str,
        exec: &str,
        line: &str,
        stdio: Stdio,
    ) -> JoinRequest {
        let process = self.file(&format!("{id}-{exec}.json"));
        let mut value = specification()["process"].clone();
        value["args"] = json!(["sh", "-c", line]);
        value["terminal"] = json!(matches!(stdio, Stdio::Terminal { .. }));
        fs::write(&process, value.to_string()).unwrap();
        JoinRequest {
            id: id.parse().unwrap(),
            root: self.root(),
            exec: exec.parse().unwrap(),
            process,
            stdio,
            ignore_paused: false,
            expects_client: false,
        }
    }

    /// Directories of the workload's cgroup that exist, by hierarchy's mount.
    pub(crate) fn cgroups(&self, id: &str) -> BTreeMap<PathBuf, PathBuf> {
        mounts()
            .into_iter()
            .map(|mount| {
                let directory = mount.join(self.parent.trim_start_matches('/')).join(id);
                (mount, directory)
            })
            .filter(|(_, directory)| directory.is_dir())
            .collect()
    }

    /// All that workloads of this dock left on the host.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for mount in mounts() {
            let parent = mount.join(self.parent.trim_start_matches('/'));
            left.extend(parent.is_dir().then(|| parent.display().to_string()));
        }
        let own = self.directory.path().display().to_string();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        left.extend(
            table
                .lines()
                .filter(|line| line.contains(&own))
                .map(str::to_owned),
        );
        left
    }
}

impl Drop for Dock {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // So that a failed test leaves no processes to the next.
            for (id, _) in settle(&self.root()).unwrap_or_default() {
                if let Ok(container) = plimsoll::launch::Container::open(&self.root(), &id) {
                    let _best_effort = container.delete(true);
                }
            }
            return;
        }
        // The last shim is out of its cgroup a moment after it is reaped.
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            for mount in mounts() {
                let parent = mount.join(self.parent.trim_start_matches('/'));
                let _made_by_the_shims = fs::remove_dir(parent.join("shims"));
                let _made_by_the_shims = fs::remove_dir(&parent);
            }
            let left = self.leftovers();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            sleep(Duration::from_millis(20));
        }
    }
}

/// Mount points of all cgroup hierarchies.
pub(crate) fn mounts() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    table
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| matches!(fields[2], "cgroup" | "cgroup2"))
        .map(|fields| fields[1].into())
        .collect()
}

/// `/proc/PID/cgroup`, path by hierarchy's id.
pub(crate) fn placement(pid: u32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = |line: &str| {
        let fields: Vec<_> = line.splitn(3, ':').collect();
        (fields[0].to_owned(), fields[2].to_owned())
    };
    text.lines().map(line).collect()
}

pub(crate) fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub(crate) fn has_mount_setattr(test: &str) -> bool {
    let is_there = kernel() >= (5, 12);
    if !is_there {
        skip(test, "launching needs Linux 5.12 (mount_setattr)");
    }
    is_there
}

/// The running one's version, its first two numbers.
pub(crate) fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

pub(crate) fn make_rootfs(rootfs: &Path) {
    for made in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(rootfs.join(made)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path);
    let busybox = folders.find_map(|dir| {
        let file = dir.join("busybox");
        file.is_file().then_some(file)
    });
    let busybox = busybox.unwrap();
    fs::copy(&busybox, rootfs.join("bin/busybox")).unwrap();
    // Not the copy: another test's fork may still have it open for writing, ETXTBSY.
    let applets = Command::new(&busybox).arg("--list").output();
    for applet in String::from_utf8(applets.unwrap().stdout).unwrap().lines() {
        let link = rootfs.join("bin").join(applet);
        if applet != "busybox" && !link.exists() {
            symlink("busybox", link).unwrap();
        }
    }
}

/// As `runc spec` has it, with Docker's capabilities, and a seccomp filter that tells itself apart.
fn specification() -> Value {
    let capabilities = json!([
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FSETID",
        "CAP_FOWNER",
        "CAP_MKNOD",
        "CAP_NET_RAW",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETFCAP",
        "CAP_SETPCAP",
        "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT",
        "CAP_KILL",
        "CAP_AUDIT_WRITE"
    ]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": [],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities,
                "permitted": capabilities}
        },
        "root": {"path": "rootfs"},
        "hostname": "dock",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
                "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                {"type": "mount"}, {"type": "cgroup"}],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "maskedPaths": ["/proc/kcore", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys"],
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]
            }
        }
    })
}
