//! docker, whose containers are the same through either runtime.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::docker::{Docker, IMAGE};
use crate::{runtime, skip};

const OURS: &str = "plimsoll";
const ORACLE: &str = "runc";

struct Both {
    docker: Docker,
    _directory: TempDir,
}

impl Both {
    /// `None`, and the test is skipped, where docker cannot run.
    fn start(test: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = runtime(directory.path());
        let option = format!("--add-runtime={OURS}={}", path.display());
        match Docker::start(&[&option]) {
            Ok(docker) => Some(Self {
                docker,
                _directory: directory,
            }),
            Err(reason) => {
                skip(test, &reason);
                None
            }
        }
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.docker.command().args(arguments).output().unwrap()
    }

    /// Status and standard output of a container that runs to its end.
    fn run(&self, runtime: &str, options: &[&str], command: &[&str]) -> (Option<i32>, String) {
        let run = ["run", "--rm", "--network=none", "--runtime", runtime];
        let output = self.output(&[&run, options, &[IMAGE], command].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), said)
    }

    /// A container that stays.
    fn stay(&self, runtime: &str, options: &[&str]) -> String {
        let options = [&["--runtime", runtime], options].concat();
        self.docker.run(&options, &["sleep", "1000"])
    }

    fn remove(&self, container: &str) {
        self.docker.cli(&["rm", "--force", container]);
    }
}

/// Lines that name the container, or have an option that only one of them has.
fn comparable(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("overlay on / "));
    let lines = lines.map(|line| line.replace("size=64k,", ""));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn statuses_are_those_docker_makes_of_runcs() {
    let Some(both) = Both::start("statuses_are_those_docker_makes_of_runcs") else {
        return;
    };
    let cases: [(&[&str], &[&str], i32); 6] = [
        (&[], &["true"], 0),
        (&[], &["sh", "-c", "exit 42"], 42),
        (&[], &["nonesuch"], 127),
        (&[], &["/etc"], 126),
        (&[], &["sh", "-c", "sleep 0.1 & kill -9 $!; wait $!"], 137),
        (
            &["--memory=16m", "--memory-swap=16m"],
            &["sh", "-c", "head -c 100000000 /dev/zero | tail"],
            137,
        ),
    ];
    for (options, command, expected) in cases {
        let (ours, _) = both.run(OURS, options, command);
        let (oracle, _) = both.run(ORACLE, options, command);
        assert_eq!(
            (ours, oracle),
            (Some(expected), Some(expected)),
            "{command:?}"
        );
    }
}

#[test]
fn a_container_sees_the_same_through_either() {
    let Some(both) = Both::start("a_container_sees_the_same_through_either") else {
        return;
    };
    // Ignored signals are left out: Go keeps runc from resetting 32 and 33.
    let line = "grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups|Sig)' /proc/1/status | \
                grep -vE 'Sig(Q|Ign)'; mount; id; hostname | wc -c; ls -la /dev | sed 's/[A-Z].. .. ..:../-/'; \
                ulimit -n; cat /proc/1/oom_score_adj; pwd; env | sort | grep -v HOSTNAME; \
                ls -l /proc/self/fd | wc -l; echo out > /dev/stdout; echo err > /dev/stderr; \
                cat /proc/sys/net/ipv4/ip_unprivileged_port_start; (echo x > /proc/sys/kernel/domainname) 2>&1; \
                head -c 1 /proc/kcore | wc -c; ls /sys/firmware /proc/acpi | wc -l; umask";
    let sets: [&[&str]; 5] = [
        &[],
        &[
            "--cap-drop=ALL",
            "--user=1000:1001",
            "--workdir=/tmp",
            "--env=A=B",
        ],
        &[
            "--read-only",
            "--tmpfs=/tmp",
            "--security-opt=no-new-privileges",
            "--oom-score-adj=500",
            "--ulimit=nofile=100:200",
        ],
        &[
            "--cap-add=SYS_PTRACE",
            "--cap-add=NET_ADMIN",
            "--device=/dev/zero:/dev/mine",
            "--sysctl=net.ipv4.ip_unprivileged_port_start=99",
            "--init",
        ],
        &[
            "--security-opt=seccomp=unconfined",
            "--ipc=host",
            "--pid=host",
            "--uts=host",
        ],
    ];
    for options in sets {
        let line = if options.contains(&"--pid=host") {
            // The host's first process is not the container's.
            &line.replace("/proc/1/", "/proc/self/")
        } else {
            line
        };
        // Signals that an init waits for are not blocked while it waits (kernel/signal.c
        // do_sigtimedwait(), v6.12).
        let line = if options.contains(&"--init") {
            &line.replace("Sig(Q|Ign)", "Sig(Q|B|Ign)")
        } else {
            line
        };
        let ours = both.run(OURS, options, &["sh", "-c", line]);
        let oracle = both.run(ORACLE, options, &["sh", "-c", line]);
        assert_eq!(ours.0, oracle.0, "{options:?}");
        let (ours, oracle) = (comparable(&ours.1), comparable(&oracle.1));
        for (ours, oracle) in ours.lines().zip(oracle.lines()) {
            assert_eq!(ours, oracle, "{options:?}");
        }
        assert_eq!(ours.lines().count(), oracle.lines().count(), "{options:?}");
    }
}

/// Files of the container's cgroups, and its path in each hierarchy with the id taken out.
fn kernel_files(pid: &str, id: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mounts: Vec<Vec<&str>> = mounts
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let names = [
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.soft_limit_in_bytes",
        "memory.swappiness",
        "cpu.cfs_quota_us",
        "cpu.cfs_period_us",
        "cpu.shares",
        "cpuset.cpus",
        "cpuset.mems",
        "pids.max",
        "devices.list",
        "blkio.throttle.read_bps_device",
        "memory.max",
        "memory.swap.max",
        "cpu.max",
    ];
    for line in fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .unwrap()
        .lines()
    {
        let fields: Vec<&str> = line.splitn(3, ':').collect();
        let (controllers, path) = (fields[1], fields[2]);
        found.insert(format!("path of {controllers:?}"), path.replace(id, "ID"));
        let mount = mounts.iter().find(|mount| {
            let options: Vec<&str> = mount[3].split(',').collect();
            match mount[2] {
                "cgroup2" => controllers.is_empty(),
                "cgroup" => {
                    !controllers.is_empty()
                        && controllers.split(',').all(|one| options.contains(&one))
                }
                _ => false,
            }
        });
        for name in names {
            let file = format!("{}{path}/{name}", mount.unwrap()[1]);
            if let Ok(text) = fs::read_to_string(file) {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                found.insert(name.to_owned(), lines.join("\n"));
            }
        }
    }
    found
}

#[test]
fn limits_and_places_are_the_same_and_can_be_updated() {
    let Some(both) = Both::start("limits_and_places_are_the_same_and_can_be_updated") else {
        return;
    };
    let options = [
        "--memory=64m",
        "--memory-swap=96m",
        "--memory-reservation=32m",
        "--cpus=0.5",
        "--cpu-shares=512",
        "--cpuset-cpus=0",
        "--pids-limit=50",
    ];
    let mut ids = Vec::new();
    let files = [OURS, ORACLE].map(|runtime| {
        let id = both.stay(runtime, &options);
        let pid = both.docker.pid(&id);
        let before = kernel_files(&pid, &id);
        let update = [
            "update",
            "--memory=80m",
            "--memory-swap=100m",
            "--cpus=0.7",
            &id,
        ];
        both.docker.cli(&update);
        let after = kernel_files(&pid, &id);
        both.remove(&id);
        ids.push(id);
        (before, after)
    });
    let [ours, oracle] = files;
    assert!(ours.0.len() > 5, "{:?}", ours.0);
    assert_ne!(ours.0, ours.1);
    assert_eq!(ours, oracle);
    for mount in fs::read_to_string("/proc/mounts").unwrap().lines() {
        let fields: Vec<&str> = mount.split(' ').collect();
        if fields[2].starts_with("cgroup") {
            for id in &ids {
                let left = format!("{}/docker/{id}", fields[1]);
                assert!(!Path::new(&left).exists(), "{left}");
            }
        }
    }
}

#[test]
fn exec_is_confined_like_runcs_and_its_status_comes_back() {
    let Some(both) = Both::start("exec_is_confined_like_runcs_and_its_status_comes_back") else {
        return;
    };
    let line = "grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups|Sig)' /proc/self/status | \
                grep -vE 'Sig(Q|Ign)'; id; pwd; env | sort | grep -v HOSTNAME; ulimit -n; \
                cat /proc/self/oom_score_adj; sed 's/[0-9a-f]\\{64\\}/ID/' /proc/self/cgroup";
    let seen = [OURS, ORACLE].map(|runtime| {
        let id = both.stay(runtime, &["--oom-score-adj=100", "--ulimit=nofile=99:100"]);
        let exec = |options: &[&str], command: &[&str]| {
            let output = both.output(&[&["exec"], options, &[&id], command].concat());
            (
                output.status.code(),
                String::from_utf8(output.stdout).unwrap(),
            )
        };
        let seen = [
            exec(&[], &["sh", "-c", line]),
            exec(
                &["--user=1000", "--env=A=B", "--workdir=/tmp"],
                &["sh", "-c", line],
            ),
            exec(&["--privileged"], &["sh", "-c", "exit 0"]),
            exec(&[], &["sh", "-c", "exit 9"]),
            exec(&[], &["nonesuch"]),
            exec(&[], &["/etc"]),
        ];
        both.remove(&id);
        seen
    });
    let [ours, oracle] = seen;
    for (number, (ours, oracle)) in ours.iter().zip(&oracle).enumerate() {
        // On a host without all capabilities runc cannot give them all, and fails.
        if number == 2 && oracle.0 != Some(0) {
            assert_eq!(ours.0, Some(0));
            continue;
        }
        assert_eq!(ours, oracle, "case {number}");
    }
    assert!(ours[0].1.contains("Seccomp:\t2"), "{}", ours[0].1);
}

#[test]
fn a_container_can_be_paused_stopped_and_started_again() {
    let Some(both) = Both::start("a_container_can_be_paused_stopped_and_started_again") else {
        return;
    };
    let id = both.stay(OURS, &["--name=one"]);
    let state = || {
        both.docker
            .cli(&["inspect", "--format={{.State.Status}}", &id])
    };
    both.docker.cli(&["pause", &id]);
    assert_eq!(state(), "paused");
    both.docker.cli(&["unpause", &id]);
    assert_eq!(state(), "running");
    assert_eq!(
        both.docker
            .cli(&["top", &id, "-o", "pid,args"])
            .lines()
            .count(),
        2
    );
    both.docker.cli(&["kill", "--signal=KILL", &id]);
    assert_eq!(both.docker.cli(&["wait", &id]), "137");
    both.docker.cli(&["start", &id]);
    assert_eq!(state(), "running");
    both.docker.cli(&["restart", "--time=1", &id]);
    assert_eq!(state(), "running");
    both.remove(&id);
}

#[test]
fn terminals_have_their_size_and_owner() {
    let Some(both) = Both::start("terminals_have_their_size_and_owner") else {
        return;
    };
    let line = "tty; stat -c '%u %a' $(tty) /dev/console; echo here > /dev/stdout; exit 5";
    let id = both.stay(OURS, &[]);
    // `script` is a terminal for docker's client.
    let scripted = |arguments: &str| {
        let docker = both.docker.command();
        let mut words = vec![docker.get_program().to_string_lossy().into_owned()];
        words.extend(
            docker
                .get_args()
                .map(|word| word.to_string_lossy().into_owned()),
        );
        let command = format!("{} {arguments}", words.join(" "));
        let mut script = std::process::Command::new("script");
        for (name, value) in docker.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let output = script
            .args(["-qec", &command, "/dev/null"])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (status, said) = scripted(&format!(
        "run --rm -it --network=none --runtime={OURS} --user=1000 {IMAGE} sh -c \"{line}\""
    ));
    assert_eq!(status, Some(5), "{said}");
    assert!(
        said.contains("/dev/pts/0\r\n1000 620\r\n1000 620\r\nhere"),
        "{said}"
    );
    let line = line.replace(" /dev/console", "");
    let (status, said) = scripted(&format!("exec -it --user=1000 {id} sh -c \"{line}\""));
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("/dev/pts/0\r\n1000 620\r\nhere"), "{said}");
    both.remove(&id);
}
