//! What a container shares with others and the host, and what not.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::alike::{compare, sides};
use super::ours::{command, ours, refuse, say};
use crate::docker::IMAGE;
use crate::{blocking_turn, host, skip};

#[test]
fn users_of_its_own_by_a_flag() {
    let test = "users_of_its_own_by_a_flag";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    // What its users have to come through.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    let above = side.agent().socket();
    fs::set_permissions(above.parent().unwrap_or(Path::new("/")), mode).unwrap();
    let line =
        "id -u; stat -c %u:%g /bin/busybox; touch /new /data/new && stat -c %u /new /data/new";
    let run = [
        "run",
        "--rm",
        "--network",
        "none",
        "--userns",
        "private",
        "-v",
        "/data",
        IMAGE,
    ];
    let said = say(&side, &[&run as &[&str], &["sh", "-c", line]].concat());
    assert_eq!(said, "0\n0:0\n0\n0");

    // Who joins it is one of them, too, whatever it may do there.
    let options = ["run", "-d", "--name", "users", "--userns", "private"];
    // All of them: also those over the host that whoever runs the agent has not.
    let more = ["--cap-add", "ALL", IMAGE, "sleep", "1000"];
    say(&side, &[&options as &[&str], &more].concat());
    let pid = say(&side, &["inspect", "--format", "{{.State.Pid}}", "users"]);
    let of_first = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let map = "cat /proc/self/uid_map /proc/self/gid_map";
    let exec = |options: &[&str], line| {
        say(
            &side,
            &[&["exec"] as &[&str], options, &["users", "sh", "-c", line]].concat(),
        )
    };
    let maps = [of_first("uid_map"), of_first("gid_map")].concat();
    assert_eq!(exec(&[], map), maps.trim_end());
    let own = fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
    let seen = exec(&[], "readlink /proc/self/ns/user");
    assert_eq!(seen, own.display().to_string());
    let first = of_first("uid_map");
    let first = first.split_whitespace().nth(1).unwrap();
    let line = "id -u; id -g; id -G; touch /dev/shm/made; grep CapEff /proc/self/status";
    let said = exec(&["-u", "7:8"], line);
    assert_eq!(said, "7\n8\n8\nCapEff:\t0000000000000000");
    let made = format!("/proc/{pid}/root/dev/shm/made");
    let made = std::os::unix::fs::MetadataExt::uid(&fs::metadata(made).unwrap());
    assert_eq!(made, first.parse::<u32>().unwrap() + 7);
    // With the groups that the container's own files say.
    let names = "echo seven:x:7:8::/: >> /etc/passwd; echo more:x:9:seven >> /etc/group";
    exec(&[], names);
    assert_eq!(exec(&["-u", "seven"], "id -u; id -G"), "7\n8 9");
    let capabilities = "grep -E '^Cap(Eff|Bnd)' /proc/self/status";
    let of_first = of_first("status");
    let of_first = of_first
        .lines()
        .filter(|line| line.starts_with("CapEff") || line.starts_with("CapBnd"));
    let mut of_first: Vec<_> = of_first.collect();
    let said = exec(&[], capabilities);
    let mut said: Vec<_> = said.lines().collect();
    of_first.sort_unstable();
    said.sort_unstable();
    assert_eq!(said, of_first);
    say(&side, &["rm", "-f", "users"]);
    for (mode, why) in [
        ("keep-id", "a range of its own (private)"),
        ("container:x", "a range of its own (private)"),
        ("nope", "invalid USER mode"),
    ] {
        let (status, told) = refuse(&side, &["run", "--rm", "--userns", mode, IMAGE, "true"]);
        assert_eq!(status, Some(125));
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn no_descriptor_leads_to_the_hosts_files() {
    let test = "no_descriptor_leads_to_the_hosts_files";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let [busybox] = match host::programs(["busybox"]) {
        Ok(found) => found,
        Err(reason) => return skip(test, &reason),
    };
    // It would run in there: it is static, and the image has its own elsewhere.
    assert_ne!(busybox, Path::new("/bin/busybox"));
    let run = ["run", "-d", "--name", "within", "--network", "none"];
    say(
        &side,
        &[&run as &[&str], &[IMAGE, "sleep", "1000"]].concat(),
    );
    for number in 3..48 {
        let path = format!(
            "/proc/self/fd/{number}/../../../../../../..{}",
            busybox.display()
        );
        for way in [
            &["run", "--rm", "--network", "none", IMAGE] as &[&str],
            &["exec", "within"],
        ] {
            let program = [&path, "echo", "out"];
            let Output { status, stdout, .. } =
                command(&side, &[way, &program].concat()).output().unwrap();
            assert!(!status.success(), "{path}");
            // Why it could not be run is told there, as Docker has it.
            assert!(!stdout.ends_with(b"out\n"), "{path}");
        }
    }
    say(&side, &["rm", "-f", "within"]);
}

#[test]
fn namespaces_of_another_container_are_joined_by_its_name() {
    let test = "namespaces_of_another_container_are_joined_by_its_name";
    let _turn = blocking_turn();
    let Some(sides) = sides(test) else { return };
    for side in &sides {
        side.cli(&[
            "run",
            "-d",
            "--name",
            "host",
            "--ipc",
            "shareable",
            "--network",
            "none",
            IMAGE,
            "sleep",
            "1000",
        ]);
        for (namespace, option) in [
            ("pid", "--pid=container:host"),
            ("ipc", "--ipc=container:host"),
            ("net", "--network=container:host"),
        ] {
            let link = format!("/proc/self/ns/{namespace}");
            let show = [IMAGE, "readlink", &link];
            let joined = side.cli(&[&["run", "--rm", option] as &[&str], &show].concat());
            let apart = side.cli(&[&["run", "--rm"] as &[&str], &show].concat());
            let own = side.cli(&["exec", "host", "readlink", &link]);
            assert_eq!(joined, own);
            assert_ne!(apart, own);
        }
    }
    // What it sees there, and that it cannot have two.
    let in_its_processes = ["run", "--rm", "--pid", "container:host", IMAGE];
    compare(
        &sides,
        &[
            &[&in_its_processes as &[&str], &["cat", "/proc/1/cmdline"]].concat(),
            &[
                "!",
                "run",
                "--rm",
                "--pid",
                "container:nonesuch",
                IMAGE,
                "true",
            ],
            &["rm", "--force", "host"],
            &["!", "run", "--rm", "--ipc", "container:host", IMAGE, "true"],
        ],
    );
}

#[test]
fn memory_is_shared_with_those_who_join_one_that_is_shareable() {
    let test = "memory_is_shared_with_those_who_join_one_that_is_shareable";
    let _turn = blocking_turn();
    let Some(sides) = sides(test) else { return };
    let run = ["run", "-d", "--network", "none", "--name"];
    let sleep = [IMAGE, "sleep", "1000"];
    let start = |name, options: &[&str]| {
        let start = [&run as &[&str], &[name], options, &sleep].concat();
        for side in &sides {
            side.cli(&start);
        }
    };
    start("donor", &["--ipc", "shareable", "--shm-size", "1m"]);
    start("joined", &["--ipc", "container:donor"]);
    start("private", &[]);
    start("without", &["--ipc", "none"]);
    start("covered", &["--ipc", "shareable", "--tmpfs", "/dev/shm"]);
    start("hosts", &["--ipc", "host"]);
    let of = |mode, script| ["run", "--rm", "--ipc", mode, IMAGE, "sh", "-c", script];
    let mount = "grep ' /dev/shm ' /proc/self/mounts | cut -d ' ' -f 1-4";
    compare(
        &sides,
        &[
            &of("container:donor", "echo joined > /dev/shm/word"),
            &["exec", "donor", "cat", "/dev/shm/word"],
            // Of one that joined, too.
            &of("container:joined", "cat /dev/shm/word"),
            &of("container:donor", mount),
            &of("shareable", mount),
            &of("container:private", "true"),
            &of("container:without", "true"),
            &of("container:covered", "true"),
            &of("container:hosts", "ls -d /dev/shm"),
            &["rm", "-f", "private"],
            &of("container:private", "true"),
            &["stop", "-t", "0", "covered"],
            &of("container:covered", "true"),
            &["run", "--rm", "--pid", "container:covered", IMAGE, "true"],
        ],
    );
    let [ours, _] = &sides;
    let mounted = || {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let run = ours
            .agent()
            .socket()
            .parent()
            .unwrap()
            .display()
            .to_string();
        let ours = mounts.lines().filter(|line| line.contains(&run));
        ours.filter(|line| line.contains(".shm ")).count()
    };
    assert_eq!(mounted(), 2);
    // It stays with the last that has it.
    ours.cli(&["rm", "-f", "donor"]);
    let kept = ours.cli(&["exec", "joined", "cat", "/dev/shm/word"]);
    assert_eq!(kept.trim(), "joined");
    ours.cli(&["rm", "-f", "joined"]);
    assert_eq!(mounted(), 0);
}
