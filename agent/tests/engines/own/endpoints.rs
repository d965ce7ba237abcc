//! Containers' places in networks, joined and left: the same command lines, the same answers.

use super::alike::{compare, sides};
use crate::docker::IMAGE;
use crate::{blocking_turn, host};

const NETWORKS: &str =
    "{{.HostConfig.NetworkMode}}:{{range $name, $_ := .NetworkSettings.Networks}} {{$name}}{{end}}";

fn sleeper(name: &'static str, options: &[&'static str]) -> Vec<&'static str> {
    let run = ["run", "-d", "--name", name];
    [&run as &[&str], options, &[IMAGE, "sleep", "1000"]].concat()
}

/// What a container left it is not in again, and what it joined it stays in, however either is called.
#[test]
fn networks_are_joined_and_left_for_good() {
    let _turn = blocking_turn();
    let Some(sides) = sides("networks_are_joined_and_left_for_good") else {
        return;
    };
    let inspect: fn(&'static str) -> [&'static str; 4] =
        |name| ["inspect", "--format", NETWORKS, name];
    let restart: fn(&'static str) -> [&'static str; 4] = |name| ["restart", "--time", "0", name];
    compare(
        &sides,
        &[
            &["network", "create", "--subnet", "10.134.0.0/24", "net"],
            &sleeper("box", &[]),
            &inspect("box"),
            &["network", "connect", "net", "box"],
            &["network", "disconnect", "bridge", "box"],
            &restart("box"),
            &["!", "network", "disconnect", "bridge", "box"],
            &["exec", "box", "ls", "/sys/class/net"],
            &sleeper("alone", &["--network", "none"]),
            &["network", "disconnect", "none", "alone"],
            &["network", "connect", "net", "alone"],
            &restart("alone"),
            &["exec", "alone", "ls", "/sys/class/net"],
            &["rm", "--force", "box", "alone"],
            &["network", "rm", "net"],
        ],
    );
    // By its id, and by the beginning of that.
    for side in &sides {
        let id = side.cli(&["network", "create", "--subnet", "10.135.0.0/24", "ided"]);
        for id in [&id, &id[..20]] {
            let run = ["run", "-d", "--name", "by-id", "--network", id];
            side.cli(&[&run as &[&str], &[IMAGE, "sleep", "1000"]].concat());
            let connected = side.see(&["network", "connect", "ided", "by-id"]);
            assert_ne!(connected.status, Some(0), "{connected:?}");
            side.cli(&["network", "disconnect", "ided", "by-id"]);
            side.cli(&["rm", "--force", "by-id"]);
        }
        side.cli(&["network", "rm", "ided"]);
    }
}

#[test]
fn a_network_that_is_gone_can_be_left() {
    let _turn = blocking_turn();
    let Some(sides) = sides("a_network_that_is_gone_can_be_left") else {
        return;
    };
    compare(
        &sides,
        &[
            &["network", "create", "--subnet", "10.136.0.0/24", "stays"],
            &["network", "create", "--subnet", "10.137.0.0/24", "goes"],
            &sleeper("box", &["--network", "stays"]),
            &["network", "connect", "goes", "box"],
            &["stop", "--time", "0", "box"],
            &["network", "rm", "goes"],
            &["!", "start", "box"],
            &["network", "disconnect", "--force", "goes", "box"],
            &["start", "box"],
            &["inspect", "--format", NETWORKS, "box"],
            &["rm", "--force", "box"],
            &["network", "rm", "stays"],
        ],
    );
}

/// Whose namespaces a container shares is not another's who has the name later.
#[test]
fn who_joins_a_container_joins_that_one() {
    let _turn = blocking_turn();
    let Some(sides) = sides("who_joins_a_container_joins_that_one") else {
        return;
    };
    let join = ["--network", "container:web", "--pid", "container:web"];
    let modes = "{{.HostConfig.NetworkMode}} {{.HostConfig.PidMode}}";
    compare(
        &sides,
        &[
            &sleeper("web", &["--hostname", "first"]),
            &sleeper("side", &join),
            &["inspect", "--format", modes, "side"],
            &["rename", "web", "old"],
            &sleeper("web", &["--hostname", "second"]),
            &["restart", "--time", "0", "side"],
            &["exec", "side", "hostname"],
            // Through one that shares it itself.
            &[
                "run",
                "--rm",
                "--network",
                "container:side",
                IMAGE,
                "cat",
                "/etc/hostname",
            ],
            &["rm", "--force", "side", "web", "old"],
        ],
    );
}

/// Who answers a container's questions, as far as the same can be said of both: Docker's answers on the container's
/// loopback, ours at the gateway.
#[test]
fn names_are_asked_of_whom_docker_asks() {
    let _turn = blocking_turn();
    let Some(sides) = sides("names_are_asked_of_whom_docker_asks") else {
        return;
    };
    let run: fn(&[&'static str], &'static str) -> Vec<&'static str> = |options, line| {
        let run: &[&str] = &["run", "--rm", "--network", "host"];
        [run, options, &[IMAGE, "sh", "-c", line]].concat()
    };
    let found = "until nslookup web 2>&1 | grep -q 10.138.0.2; do sleep 0.1; done; echo found";
    compare(
        &sides,
        &[
            &run(
                &[
                    "--dns",
                    "9.9.9.9",
                    "--dns-search",
                    "x.y",
                    "--dns-option",
                    "ndots:3",
                ],
                "grep -v '^#' /etc/resolv.conf | grep . | sort",
            ),
            &run(
                &["--add-host", "gate:host-gateway"],
                "grep -cw gate /etc/hosts",
            ),
            &["network", "create", "--subnet", "10.138.0.0/24", "net"],
            &sleeper("web", &["--network", "net"]),
            &sleeper("late", &[]),
            &["network", "connect", "net", "late"],
            &["exec", "late", "timeout", "9", "sh", "-c", found],
            &["rm", "--force", "web", "late"],
            &["network", "rm", "net"],
        ],
    );
}

/// Published ports are had by the network that a container goes out by, whichever it is named first.
#[test]
fn ports_follow_the_way_out() {
    let _turn = blocking_turn();
    let Some(sides) = sides("ports_follow_the_way_out") else {
        return;
    };
    let serve = "while :; do echo -e 'HTTP/1.0 200 OK\\r\\n\\r\\nserved' | nc -l -p 80; done";
    let fetch = "for i in 1 2 3 4 5 6 7 8 9; do wget -qO- -T 1 http://127.0.0.1:18080/ && exit; sleep 0.2; done; exit 1";
    let from_host: &[&str] = &["run", "--rm", "--network", "host", IMAGE, "sh", "-c", fetch];
    let port: &[&str] = &["port", "web"];
    let web = |network: &'static str| {
        let run = ["run", "-d", "--name", "web", "-p", "127.0.0.1:18080:80"];
        let rest = ["--network", network, IMAGE, "sh", "-c", serve];
        [&run as &[&str], &rest].concat()
    };
    compare(
        &sides,
        &[
            &["network", "create", "--subnet", "10.139.0.0/24", "mid"],
            &["network", "create", "--subnet", "10.140.0.0/24", "aft"],
            &[
                "network",
                "create",
                "--internal",
                "--subnet",
                "10.141.0.0/24",
                "inner",
            ],
            &web("inner"),
            &["network", "connect", "mid", "web"],
            port,
            from_host,
            &["network", "connect", "aft", "web"],
            port,
            from_host,
            &["network", "disconnect", "aft", "web"],
            port,
            from_host,
            &["restart", "--time", "0", "web"],
            port,
            from_host,
            &["rm", "--force", "web"],
            &["network", "rm", "mid", "aft", "inner"],
        ],
    );
}

#[test]
fn all_ports_that_an_image_exposes_are_published() {
    let test = "all_ports_that_an_image_exposes_are_published";
    let _turn = blocking_turn();
    let Some(sides) = sides(test) else { return };
    let dir = tempfile::tempdir().unwrap();
    let root = host::image(dir.path()).unwrap();
    for side in &sides {
        let ports = ["--change", "EXPOSE 80/tcp 53/udp"];
        let import = [
            "import",
            ports[0],
            ports[1],
            root.to_str().unwrap(),
            "exposes",
        ];
        side.cli(&import);
        let run = ["run", "-d", "-P", "--name", "open", "--expose", "90"];
        side.cli(&[&run as &[&str], &["exposes", "sleep", "1000"]].concat());
    }
    let [ours, oracle] = sides.each_ref().map(|side| {
        let ports = side.cli(&["port", "open"]);
        let mut ports: Vec<_> = ports
            .lines()
            // One of the host's, whichever is free.
            .map(|line| {
                let (named, port) = line.rsplit_once(':').unwrap();
                let port: u16 = port.parse().unwrap();
                assert!(port >= 32_768, "{line}");
                named.to_owned()
            })
            .filter(|named| !named.contains('['))
            .collect();
        ports.sort();
        side.cli(&["rm", "--force", "open"]);
        side.cli(&["rmi", "exposes"]);
        ports
    });
    assert_eq!(ours, oracle);
    assert_eq!(ours.len(), 3);
}
