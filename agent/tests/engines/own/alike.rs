//! The same command lines, the same answers.

use super::side::{self, Side};
use crate::docker::IMAGE;
use crate::{blocking_turn, skip};

/// Compares what `commands` show on both sides. A leading `!` compares all but the errors' text.
pub(super) fn compare(sides: &[Side; 2], commands: &[&[&str]]) {
    for &arguments in commands {
        let (arguments, loosely) = match arguments {
            ["!", rest @ ..] => (rest, true),
            all => (all, false),
        };
        let [mut ours, mut oracle] = sides.each_ref().map(|side| side.see(arguments));
        if loosely {
            assert_eq!(
                ours.errors.is_empty(),
                oracle.errors.is_empty(),
                "{ours:?} {oracle:?}"
            );
            ours.errors.clear();
            oracle.errors.clear();
        }
        assert_eq!(ours, oracle, "docker {}", arguments.join(" "));
    }
}

/// Lines in the order of the alphabet: docker's order is that of its directories.
fn compare_sorted(sides: &[Side; 2], arguments: &[&str]) {
    let [ours, oracle] = sides.each_ref().map(|side| {
        let text = side.cli(arguments);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    });
    assert_eq!(ours, oracle, "docker {}", arguments.join(" "));
}

pub(super) fn sides(test: &str) -> Option<[Side; 2]> {
    match side::both() {
        Ok(sides) => Some(sides),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

#[test]
fn run_has_dockers_output_and_status() {
    let _turn = blocking_turn();
    let Some(sides) = sides("run_has_dockers_output_and_status") else {
        return;
    };
    let run = |options: &[&str], command: &[&str]| {
        let line = [&["run", "--rm"], options, &[IMAGE], command].concat();
        let [ours, oracle] = sides
            .each_ref()
            .map(|side| side.see_with(&line, "one\ntwo\n"));
        assert_eq!(ours, oracle, "docker {}", line.join(" "));
        ours
    };
    let said = run(&[], &["echo", "hello"]);
    assert_eq!((said.status, said.output.as_str()), (Some(0), "hello\n"));
    assert_eq!(
        run(&[], &["sh", "-c", "echo err >&2; exit 7"]).status,
        Some(7)
    );
    assert_eq!(
        run(&[], &["sh", "-c", "sleep 9 & kill -9 $!; wait $!"]).status,
        Some(137)
    );
    assert_eq!(run(&["-i"], &["wc", "-l"]).output, "2\n");
    for (options, command) in [
        (
            &["-e", "A=B", "-e", "EMPTY="] as &[&str],
            "env | grep -v HOSTNAME | sort",
        ),
        (&["-w", "/tmp"], "pwd"),
        (&["-w", "/made/for/it"], "pwd; stat -c '%A %u:%g' ."),
        (&["-u", "1000:1001"], "id"),
        (&["-u", "12345"], "id"),
        (&["--hostname", "box"], "hostname; cat /etc/hostname"),
        (&["--read-only"], "touch /file; echo $?"),
        (
            &["--tmpfs", "/scratch:size=1m,mode=700"],
            "mount | grep scratch; stat -c '%A %u:%g' /scratch",
        ),
        (&["--cap-drop", "ALL"], "grep Cap /proc/1/status"),
        (
            &["--cap-drop", "ALL", "--cap-add", "NET_RAW"],
            "grep Cap /proc/1/status",
        ),
        (&[], "grep -E '^(Cap|Seccomp|NoNewPrivs)' /proc/1/status"),
        (&[], "exec grep -E '^Sig(Blk|Cgt)' /proc/self/status"),
        (&[], "grep ' / ' /proc/mounts | cut -d ' ' -f 1"),
        (&["-h", "foo.bar.baz"], "tail -n 1 /etc/hosts | cut -f 2"),
        (
            &["--security-opt", "no-new-privileges"],
            "grep NoNewPrivs /proc/1/status",
        ),
        (
            &["--security-opt", "seccomp=unconfined"],
            "grep Seccomp: /proc/1/status",
        ),
        (
            &[],
            "stat -c '%n %A %u:%g' /.dockerenv; readlink /etc/mtab; ls -A / /etc",
        ),
        (&["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn"),
        (&["--shm-size", "1m"], "mount | grep '/dev/shm '"),
        (
            &["--sysctl", "net.core.somaxconn=99"],
            "cat /proc/sys/net/core/somaxconn",
        ),
        (
            &["--dns", "10.1.2.3", "--dns-search", "x.y"],
            "grep -v '^#' /etc/resolv.conf | grep . | sort",
        ),
        (&["--add-host", "there:10.9.8.7"], "grep there /etc/hosts"),
        (
            &["--network", "none"],
            "cd /sys/class/net && grep . */flags; ping -c 1 127.0.0.1 | grep loss",
        ),
        (
            &["--device", "/dev/zero:/dev/mine:r"],
            "ls -l /dev/mine | cut -c1-10",
        ),
        (&["--oom-score-adj", "300"], "cat /proc/self/oom_score_adj"),
        (
            &["-m", "64m"],
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
        ),
        (
            &[],
            "for f in $(awk '{print $5}' /proc/self/mountinfo | grep -v interrupts | sort -u); do echo $f; done",
        ),
        (
            &[],
            "ls /dev; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; umask",
        ),
    ] {
        run(options, &["sh", "-c", command]);
    }
    // Docker's ignore 32 and 33 where dockerd was started so: Go cannot reset them.
    let [ours, _] = &sides;
    let ignored = ["grep", "SigIgn", "/proc/self/status"];
    let seen = ours.cli(&[&["run", "--rm", IMAGE] as &[&str], &ignored].concat());
    assert_eq!(seen, "SigIgn:\t0000000000000000");
}

#[test]
fn what_cannot_be_run_is_told_as_docker_does() {
    let _turn = blocking_turn();
    let Some(sides) = sides("what_cannot_be_run_is_told_as_docker_does") else {
        return;
    };
    let status = |line: &[&str]| {
        let [ours, oracle] = sides.each_ref().map(|side| side.see(line));
        assert_eq!(ours.status, oracle.status, "{line:?}: {ours:?} {oracle:?}");
        ours.status
    };
    assert_eq!(status(&["run", "--rm", IMAGE, "nonesuch"]), Some(127));
    assert_eq!(status(&["run", "--rm", IMAGE, "/etc"]), Some(126));
    // As the newer dockers: the oracle's says 126.
    let [ours, _] = &sides;
    ours.cli(&[
        "run",
        "-d",
        "--name",
        "up",
        "--network",
        "none",
        IMAGE,
        "sleep",
        "100",
    ]);
    assert_eq!(ours.see(&["exec", "up", "nonesuch"]).status, Some(127));
    ours.cli(&["rm", "--force", "up"]);
    assert_eq!(
        status(&["run", "--rm", "-w", "relative", IMAGE, "true"]),
        Some(125)
    );
    assert_eq!(
        status(&["run", "--rm", "--pull", "never", "nonesuch", "true"]),
        Some(125)
    );
    compare(
        &sides,
        &[
            &["create", "--name", "one", IMAGE, "true"],
            &["create", "--name", "one", IMAGE, "true"],
            &["create", "--name", "-x", IMAGE, "true"],
            &["!", "start", "nonesuch"],
            &["stop", "one"],
            &["!", "kill", "one"],
            &["!", "pause", "one"],
            &["!", "exec", "one", "true"],
            &["!", "rename", "one", "one"],
            &["logs", "nonesuch"],
            &["inspect", "nonesuch"],
            &["rm", "one"],
            &["rm", "one"],
            &["!", "rmi", "nonesuch"],
            &["!", "volume", "rm", "nonesuch"],
            &["!", "network", "rm", "nonesuch"],
        ],
    );
}

#[test]
fn a_containers_life_is_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("a_containers_life_is_dockers") else {
        return;
    };
    // Docker copies the two streams each by itself: what comes close together may change places.
    let script =
        "echo out; sleep 0.5; echo err >&2; trap 'exit 5' TERM; while :; do sleep 0.1; done";
    let state = "{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.ExitCode}} \
                 {{.Name}} {{.RestartCount}} {{.Config.Image}} {{.Path}} {{.HostConfig.NetworkMode}} \
                 {{.HostConfig.IpcMode}} {{.HostConfig.CgroupnsMode}} {{.HostConfig.ShmSize}} \
                 {{.HostConfig.LogConfig}} {{.HostConfig.MemorySwappiness}} {{.HostConfig.ReadonlyPaths}}";
    let inspect: &[&str] = &["inspect", "--format", state, "life"];
    let ps: &[&str] = &[
        "ps",
        "--all",
        "--filter",
        "name=life",
        "--format",
        "{{.ID}} {{.Image}} {{.Command}} {{.State}} {{.Names}} {{.Labels}} {{.Ports}}",
    ];
    compare(
        &sides,
        &[
            &[
                "create",
                "--name",
                "life",
                "--label",
                "a=b",
                "--network",
                "none",
                IMAGE,
                "sh",
                "-c",
                script,
            ],
            inspect,
            ps,
            &["start", "life"],
            inspect,
            ps,
            &[
                "exec",
                "life",
                "sh",
                "-c",
                "until [ -d /proc/1 ]; do :; done; echo in; exit 3",
            ],
            &[
                "exec",
                "-e",
                "A=B",
                "-w",
                "/tmp",
                "-u",
                "5:6",
                "life",
                "sh",
                "-c",
                "echo $A; pwd; id -u",
            ],
            // What the first process leaves running says something, for a while.
            &[
                "exec",
                "life",
                "sh",
                "-c",
                "(sleep 0.3; echo late) & (sleep 4; echo too late) & echo early",
            ],
            &["!", "start", "life"],
            &["pause", "life"],
            inspect,
            &["!", "exec", "life", "true"],
            &["unpause", "life"],
            &["rename", "life", "life2"],
            &["rename", "life2", "life"],
            &["update", "--memory", "64m", "--memory-swap", "64m", "life"],
            &[
                "exec",
                "life",
                "sh",
                "-c",
                "echo file > /tmp/file; rm /bin/vi; mkdir /new",
            ],
        ],
    );
    compare_sorted(&sides, &["diff", "life"]);
    compare(
        &sides,
        &[
            &["!", "rm", "life"],
            &["stop", "life"],
            inspect,
            &["logs", "life"],
            &["logs", "--tail", "1", "life"],
            &["wait", "life"],
            &["start", "life"],
            &["restart", "--time", "1", "life"],
            &["kill", "--signal", "KILL", "life"],
            &["wait", "life"],
            inspect,
            &["rm", "--volumes", "life"],
            ps,
        ],
    );
}

#[test]
fn an_end_is_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("an_end_is_dockers") else {
        return;
    };
    let always = ["run", "-d", "--restart", "always", "--network", "none"];
    let with = |name: &'static str, line: &'static str| {
        [
            &always as &[&str],
            &["--name", name, IMAGE, "sh", "-c", line],
        ]
        .concat()
    };
    let trap = "trap 'exit 5' INT; touch /ready; while :; do sleep 0.1; done";
    let state = "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}";
    compare(
        &sides,
        &[
            &with("again", "sleep 2; exit 3"),
            &["wait", "again"],
            &["rm", "-f", "again"],
            &with("attached", "sleep 2; echo end; exit 3"),
            &["attach", "--no-stdin", "attached"],
            &["rm", "-f", "attached"],
            &with("left", trap),
            &[
                "exec",
                "left",
                "sh",
                "-c",
                "until [ -e /ready ]; do :; done",
            ],
            &["kill", "-s", "INT", "left"],
            &["wait", "left"],
            &["inspect", "--format", state, "left"],
            &["rm", "left"],
            &[
                "run",
                "-d",
                "--name",
                "paused",
                "--network",
                "none",
                IMAGE,
                "sleep",
                "1000",
            ],
            &["pause", "paused"],
            &["kill", "-s", "USR1", "paused"],
            &["inspect", "--format", state, "paused"],
            &["kill", "paused"],
            &["inspect", "--format", state, "paused"],
            &["start", "paused"],
            &["kill", "paused"],
            &["rm", "paused"],
        ],
    );
}
