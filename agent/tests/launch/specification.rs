//! docker's configurations, as docker runs them and as our own specification of them is carried out.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bollard::models::ContainerCreateBody;
use plimsoll::cgroup::Layout;
use plimsoll::engine::spec::{Files, Joined, Parts, build, validate};
use serde_json::Value;
use tempfile::TempDir;

use crate::docker::{Docker, IMAGE};
use crate::{host, runtime, skip};

/// Options of a container, and the shell's line in it.
type Case = (&'static [&'static str], &'static str);

/// Both say what the kernel gives the container, and only that.
const CASES: [Case; 12] = [
    (
        &[],
        "grep -E '^(Cap|Seccomp:|NoNewPrivs|Uid|Gid|Groups)' /proc/1/status; env | sort; pwd; hostname; \
         ulimit -a; cat /proc/1/oom_score_adj; ls -la /dev | tail -n +4 | sed 's/[A-Z].. .. ..:../-/'; \
         cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range",
    ),
    (&[], "mount"),
    (&[], "sort /sys/fs/cgroup/devices/devices.list 2>/dev/null"),
    (
        &[
            "--user=7:8",
            "--group-add=9",
            "--workdir=/new/dir",
            "--env=A=B",
            "--env=PATH=/bin:/x",
        ],
        "grep -E '^(Cap|Uid|Gid|Groups)' /proc/1/status; env | sort; pwd; ls -ld /new/dir | cut -c-15",
    ),
    (
        &[
            "--cap-drop=ALL",
            "--cap-add=SYS_TIME",
            "--security-opt=no-new-privileges",
        ],
        "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/1/status",
    ),
    (
        &[
            "--security-opt=seccomp=unconfined",
            "--cap-add=SYS_PTRACE",
            "--oom-score-adj=500",
        ],
        "grep -E '^(Cap|Seccomp:)' /proc/1/status; cat /proc/1/oom_score_adj",
    ),
    (
        &[
            "--read-only",
            "--tmpfs=/t",
            "--tmpfs=/u:exec,size=64k,mode=700",
            "--shm-size=1m",
        ],
        "mount | grep -E ' (/t|/u|/dev/shm) '; ls -ld /t /u | cut -c-10; (echo x > /x) 2>&1",
    ),
    (
        &[
            "--ulimit=nofile=100:200",
            "--ulimit=core=0",
            "--sysctl=net.ipv4.ip_forward=1",
        ],
        "ulimit -a; cat /proc/sys/net/ipv4/ip_forward",
    ),
    (
        &[
            "--device=/dev/zero:/dev/mine:r",
            "--device-cgroup-rule=c 9:* rw",
        ],
        "ls -l /dev/mine | sed 's/[A-Z].. .. ..:../-/'; (echo x > /dev/mine) 2>&1; \
         sort /sys/fs/cgroup/devices/devices.list 2>/dev/null",
    ),
    (
        &[
            "--memory=64m",
            "--memory-reservation=32m",
            "--memory-swap=128m",
            "--cpus=0.5",
            "--cpu-shares=512",
            "--cpuset-cpus=0",
            "--pids-limit=50",
            "--memory-swappiness=10",
        ],
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes \
         memory/memory.memsw.limit_in_bytes memory/memory.swappiness cpu/cpu.cfs_quota_us \
         cpu/cpu.cfs_period_us cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max 2>&1; \
         cat memory.max memory.low memory.swap.max cpu.max cpu.weight cpuset.cpus pids.max 2>&1",
    ),
    (
        &["--init"],
        "cat /proc/1/comm; tr '\\0' ' ' < /proc/1/cmdline",
    ),
    (
        &[
            "--ipc=none",
            "--uts=host",
            "--pid=host",
            "--tty=false",
            "--hostname=",
        ],
        "mount | grep -c /dev/shm; hostname; test -d /proc/$PPID && echo processes",
    ),
];

struct Pair {
    docker: Docker,
    directory: TempDir,
    program: std::path::PathBuf,
}

impl Pair {
    fn start(test: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        if let Err(reason) = host::rootfs(&directory.path().join("rootfs")) {
            skip(test, &reason);
            return None;
        }
        match Docker::start(&[]) {
            Ok(docker) => Some(Self {
                docker,
                program: runtime(directory.path()),
                directory,
            }),
            Err(reason) => {
                skip(test, &reason);
                None
            }
        }
    }

    /// What docker's container says, and its configuration as docker's API has it.
    fn with_docker(&self, options: &[&str], line: &str) -> (String, Value) {
        let create = ["create", "--network=none"];
        let command = [IMAGE, "sh", "-c", line];
        let id = self.docker.cli(&[&create, options, &command].concat());
        let inspected: Value = serde_json::from_str(&self.docker.cli(&["inspect", &id])).unwrap();
        let mut body = inspected[0]["Config"].clone();
        body["HostConfig"] = inspected[0]["HostConfig"].clone();
        let output = self
            .docker
            .command()
            .args(["start", "--attach", &id])
            .output()
            .unwrap();
        self.docker.cli(&["rm", "--force", &id]);
        (String::from_utf8(output.stdout).unwrap(), body)
    }

    /// What ours says, of the same configuration.
    fn with_ours(&self, number: usize, body: Value) -> String {
        let mut body: ContainerCreateBody = serde_json::from_value(body).unwrap();
        let hostname = body.hostname.take().unwrap_or_default();
        // Not what was asked for: dockerd has put the host's there.
        let has_own_name = body.host_config.as_ref().unwrap().uts_mode.as_deref() != Some("host");
        body.hostname = has_own_name.then(|| hostname.clone());
        validate(&body).unwrap();
        let id = format!("specification-{}-{number}", std::process::id());
        let bundle = self.directory.path().join(&id);
        fs::create_dir(&bundle).unwrap();
        let file = |name: &str| {
            let path = bundle.join(name);
            fs::write(&path, "").unwrap();
            Some(path)
        };
        let files = Files {
            resolv_conf: file("resolv.conf"),
            hosts: file("hosts"),
            hostname: file("hostname"),
        };
        let (spec, _) = build(&Parts {
            id: &id,
            body: &body,
            image: None,
            rootfs: &self.directory.path().join("rootfs"),
            hostname: &hostname,
            files: &files,
            mounts: &[],
            join: &Joined::default(),
            cgroup_path: &format!("/plimsoll-test-{id}"),
            layout: &Layout::detect().unwrap(),
            terminal_size: None,
        })
        .unwrap();
        spec.save(bundle.join("config.json")).unwrap();
        self.run(&bundle, &id)
    }

    fn run(&self, bundle: &Path, id: &str) -> String {
        let mut command = Command::new(&self.program);
        command
            .arg("--root")
            .arg(self.directory.path().join("state"));
        command.arg("run").arg("--bundle").arg(bundle);
        if fs::read_to_string("/proc/mounts")
            .unwrap()
            .starts_with("rootfs / ")
        {
            command.arg("--no-pivot");
        }
        let output = command.arg(id).stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.is_empty(), "{errors}");
        said
    }
}

/// Without the lines that name where the container's files are.
fn comparable(text: &str) -> Vec<String> {
    let is_place = |line: &&str| line.contains(" on / type ") || line.contains(" on /etc/");
    let lines = text.lines().filter(|line| !is_place(line));
    let mut lines: Vec<_> = lines.map(|line| line.replace("size=64k,", "")).collect();
    let is_mount = |line: &String| line.contains(" on /") && line.contains(" type ");
    let (mut mounts, others): (Vec<_>, Vec<_>) = lines.drain(..).partition(is_mount);
    // docker's come in the order of a map. It shows only where one hides another.
    mounts.sort();
    mounts.extend(others);
    mounts
}

#[test]
fn a_configuration_is_carried_out_as_docker_does() {
    let Some(pair) = Pair::start("a_configuration_is_carried_out_as_docker_does") else {
        return;
    };
    for (number, (options, line)) in CASES.into_iter().enumerate() {
        let (oracle, body) = pair.with_docker(options, line);
        assert!(
            !oracle.is_empty() || line.contains("2>/dev/null"),
            "{options:?}"
        );
        let ours = pair.with_ours(number, body);
        assert_eq!(comparable(&ours), comparable(&oracle), "{options:?}");
    }
}
