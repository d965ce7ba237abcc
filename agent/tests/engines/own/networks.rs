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
            &[
                "inspect",
                "--format",
                "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}",
                "web",
            ],
            &["run", "--rm", "--network", "net", IMAGE, "sh", "-c", fetch],
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
