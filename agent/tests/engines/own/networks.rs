//! Networks: the same command lines, the same answers.

use super::alike::{compare, sides};
use crate::blocking_turn;
use crate::docker::IMAGE;

#[test]
fn networks_are_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("networks_are_dockers") else {
        return;
    };
    let serve = "while :; do echo -e 'HTTP/1.0 200 OK\\r\\n\\r\\nserved' | nc -l -p 80; done";
    let fetch =
        "for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://web/ && exit; sleep 0.2; done; exit 1";
    let place =
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}";
    let inspect: &[&str] = &["inspect", "--format", place, "web"];
    let ping = "ping -c 1 -W 5 site >/dev/null; echo $?";
    let linked = ["run", "--rm", "--network", "net", "--link", "web:site"];
    let linked = [&linked as &[&str], &[IMAGE, "sh", "-c", ping]].concat();
    compare(
        &sides,
        &[
            &["network", "create", "--subnet", "10.123.0.0/24", "net"],
            &[
                "network",
                "ls",
                "--format",
                "{{.Name}} {{.Driver}} {{.Scope}}",
                "--filter",
                "name=net",
            ],
            &[
                "network",
                "inspect",
                "--format",
                "{{range .IPAM.Config}}{{.Subnet}}{{end}} {{.Internal}}",
                "net",
            ],
            &[
                "run",
                "-d",
                "--name",
                "web",
                "--network",
                "net",
                IMAGE,
                "sh",
                "-c",
                serve,
            ],
            inspect,
            &["restart", "--time", "0", "web"],
            inspect,
            &["run", "--rm", "--network", "net", IMAGE, "sh", "-c", fetch],
            // Another name, for this one alone.
            &linked,
            &[
                "exec",
                "web",
                "sh",
                "-c",
                "ping -c 1 site >/dev/null 2>&1; echo $?",
            ],
            &["!", "network", "rm", "net"],
            &["rm", "--force", "web"],
            &["network", "rm", "net"],
        ],
    );
}

/// Which way out it takes, and what becomes of that when it joins and leaves networks.
#[test]
fn default_routes_are_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("default_routes_are_dockers") else {
        return;
    };
    let routes: &[&str] = &["exec", "two", "ip", "route"];
    let create = |subnet, name| ["network", "create", "--subnet", subnet, name];
    compare(
        &sides,
        &[
            &create("10.124.0.0/24", "mid"),
            &create("10.125.0.0/24", "aft"),
            &create("10.126.0.0/24", "top"),
            &[
                "network",
                "create",
                "--internal",
                "--subnet",
                "10.127.0.0/24",
                "ahead",
            ],
            &[
                "run",
                "-d",
                "--name",
                "two",
                "--network",
                "mid",
                IMAGE,
                "sleep",
                "1000",
            ],
            routes,
            &["network", "connect", "top", "two"],
            routes,
            &["network", "connect", "aft", "two"],
            routes,
            &["network", "connect", "ahead", "two"],
            routes,
            &["network", "disconnect", "aft", "two"],
            routes,
            &["network", "disconnect", "mid", "two"],
            routes,
            &["rm", "--force", "two"],
            &["network", "rm", "mid", "aft", "top", "ahead"],
        ],
    );
}

/// What users say of networks and addresses: the same is had, or refused.
#[test]
fn addresses_and_names_are_as_asked_for() {
    let _turn = blocking_turn();
    let Some(sides) = sides("addresses_and_names_are_as_asked_for") else {
        return;
    };
    let address = "ip -o -4 address show eth0 | awk '{print $4}'";
    let six =
        "ip -o -6 address show eth0 scope global | awk '{print $4}'; ip -6 route | grep -c default";
    let run = ["run", "--rm", "--network"];
    let shell = |network, options: &[&'static str], line| {
        [
            &run as &[&str],
            &[network],
            options,
            &[IMAGE, "sh", "-c", line],
        ]
        .concat()
    };
    let in_range = shell("ranged", &[], "ip route | grep default");
    let fixed = shell("ranged", &["--ip", "10.128.9.9"], address);
    let outside = shell("ranged", &["--ip", "10.129.9.9"], address);
    let on_default = shell("bridge", &["--ip", "172.17.0.77"], address);
    let inside = shell(
        "inner",
        &[],
        "ip -o link show eth0 | wc -l; ping -c 1 -W 1 192.0.2.1 >/dev/null 2>&1; echo $?",
    );
    let hosts = shell(
        "ranged",
        &[
            "--add-host",
            "a:10.1.2.3",
            "--add-host",
            "gate:host-gateway",
        ],
        "grep -w a /etc/hosts; grep -cw gate /etc/hosts",
    );
    let resolver = shell(
        "bridge",
        &[
            "--dns",
            "9.9.9.9",
            "--dns-search",
            "x.y",
            "--dns-option",
            "ndots:3",
        ],
        "grep -v '^#' /etc/resolv.conf | sort",
    );
    let unknown = shell("nosuch", &[], "true");
    let joined = shell("container:nosuch", &[], "true");
    let hosts_ports = shell("host", &["-p", "80:80"], "echo hosted");
    let v6 = shell("six", &["--ip6", "fd00:128::77"], six);
    let alias = shell("ranged", &[], "ping -c 1 -W 5 other >/dev/null; echo $?");
    compare(
        &sides,
        &[
            &[
                "network",
                "create",
                "--subnet",
                "10.128.0.0/16",
                "--ip-range",
                "10.128.5.0/24",
                "--gateway",
                "10.128.5.254",
                "ranged",
            ],
            &in_range,
            &fixed,
            &[
                "!",
                "network",
                "create",
                "--subnet",
                "10.128.7.0/24",
                "overlapping",
            ],
            &[
                "!",
                "network",
                "create",
                "--subnet",
                "10.130.0.0/24",
                "--gateway",
                "10.131.0.1",
                "wrong",
            ],
            &["!", "network", "create", "--gateway", "10.130.0.1", "wrong"],
            &["!", "network", "create", "--driver", "nosuch", "wrong"],
            &[
                "network",
                "create",
                "--internal",
                "--subnet",
                "10.132.0.0/24",
                "inner",
            ],
            &inside,
            &hosts,
            &resolver,
            &hosts_ports,
            &[
                "network",
                "create",
                "--ipv6",
                "--subnet",
                "10.133.0.0/24",
                "--subnet",
                "fd00:128::/64",
                "six",
            ],
            &v6,
            &[
                "run",
                "-d",
                "--name",
                "named",
                "--network",
                "ranged",
                "--network-alias",
                "other",
                IMAGE,
                "sleep",
                "1000",
            ],
            &alias,
            &[
                "network",
                "connect",
                "--ip",
                "10.133.0.50",
                "--alias",
                "more",
                "six",
                "named",
            ],
            &[
                "exec",
                "named",
                "sh",
                "-c",
                "ip -o -4 address show eth1 | awk '{print $4}'",
            ],
            &["network", "disconnect", "six", "named"],
            &["!", "network", "disconnect", "six", "named"],
            &["!", "network", "connect", "ranged", "named"],
            &["!", "network", "rm", "ranged"],
            &["rm", "--force", "named"],
            &["network", "rm", "ranged", "inner", "six"],
        ],
    );
    // Refused by both, in words that changed with docker's versions.
    for line in [&outside, &on_default, &unknown, &joined] {
        let [ours, oracle] = sides.each_ref().map(|side| side.see(line));
        assert_eq!(ours.status, oracle.status, "{ours:?} {oracle:?}");
        assert!(!ours.errors.contains("find image"), "{ours:?}");
    }
}
