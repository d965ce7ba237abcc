//! `plimsoll workloads`

use std::sync::Arc;

use plimsoll::identity::Kind;

use crate::snapshot::snapshot;
use crate::world::{World, text};

const AT_80: &str = "\
NAME              RUNTIME       CPU %  MEM USAGE         NET I/O       BLOCK I/O
debian            libvirt     150.00%     512MiB              --              --
web               docker       42.50%     243MiB  1.21GB / 340MB  8.19MB / 4.1kB
kube-sys…9-abcde  kubernetes    2.10%     512MiB              --              --
kube-sys…coredns  containerd    2.00%     512MiB              --              --
nginx.service     systemd       0.00%     512MiB    100kB / 648B              --
";

const AT_140: &str = "\
NAME                         RUNTIME     KIND       STATUS              CPU %  MEM USAGE         NET I/O       BLOCK I/O  PIDS  ID
debian                       libvirt     machine    Up 2d7h           150.00%     512MiB              --              --    --
web                          docker      container  Up 3h12m, 2 OOM    42.50%     243MiB  1.21GB / 340MB  8.19MB / 4.1kB     9  4c01db0b339c
kube-system/c…5d6cfc9-abcde  kubernetes  pod        Up 2d7h             2.10%     512MiB              --              --    --
kube-system/c…abcde/coredns  containerd  container  Up 2d7h (frozen)    2.00%     512MiB              --              --    --  bb0011223344
nginx.service                systemd     unit       Up 2d7h             0.00%     512MiB    100kB / 648B              --    --
";

fn names(table: &str) -> Vec<&str> {
    let rows = table.lines().skip(1);
    rows.filter_map(|row| row.split("  ").next())
        .map(str::trim)
        .collect()
}

#[test]
fn fits_terminals_of_80_and_140_columns() {
    let world = World::new();
    assert_eq!(world.shown(80, &["workloads"]), AT_80);
    assert_eq!(world.shown(140, &["workloads"]), AT_140);
}

#[test]
fn a_pipe_gets_every_column_in_full() {
    let world = World::new();
    let table = text(&world.command(&["workloads"]).output().unwrap());
    assert!(
        table.contains("kube-system/coredns-7c65d6cfc9-abcde/coredns   containerd"),
        "{table}"
    );
    assert!(
        table.contains("registry.k8s.io/coredns/coredns:v1.11.3   bb0011223344"),
        "{table}"
    );
    assert!(!table.contains('\x1b'));
}

#[test]
fn all_adds_groups_sandboxes_bare_cgroups_and_the_dead() {
    let world = World::new();
    let table = world.shown(200, &["workloads", "--all"]);
    let expected = [
        "/",
        "debian",
        "web",
        "/system.slice",
        "/batch/job-17",
        "kube-system/coredns-7c65d6cfc9-abcde",
        "kube-system/coredns-7c65d6cfc9-abcde/coredns",
        "batch",
        "kube-system/coredns-7c65d6cfc9-abcde (sandbox)",
        "nginx.service",
    ];
    assert_eq!(names(&table), expected);
    assert!(world.shown(80, &["workloads", "-a"]).contains("Dead 48s"));
}

#[test]
fn what_is_not_measured_is_not_zero() {
    let world = World::new();
    let table = world.shown(80, &["workloads", "--filter", "kind=cgroup"]);
    let row = table.lines().nth(1).unwrap();
    let cells: Vec<&str> = row.split_whitespace().skip(5).collect();
    assert_eq!(cells, ["--", "512MiB", "--", "--"], "{table}");
}

#[test]
fn where_nothing_is_shown_it_says_what_more_there_is() {
    let mut bare = snapshot(3);
    let kinds = [Kind::Host, Kind::Slice, Kind::Cgroup];
    bare.workloads
        .retain(|workload| kinds.contains(&workload.identity.kind));
    let world = World::with(bare);
    let told = |arguments: &[&str]| {
        let output = world.command(arguments).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let expected = "plimsoll: no container, pod, machine or unit is alive; \
                    `plimsoll workloads --all` lists bare cgroups too\n";
    assert_eq!(told(&["workloads"]), expected);
    assert_eq!(told(&["workloads", "--all"]), "");
    assert_eq!(told(&["workloads", "--filter", "runtime=docker"]), "");
}

#[test]
fn filters_choose() {
    let world = World::new();
    let chosen = |arguments: &[&str]| {
        let table = world.shown(200, &[&["workloads"], arguments].concat());
        names(&table).join(" ")
    };
    assert_eq!(chosen(&["--filter", "runtime=docker"]), "web");
    assert_eq!(chosen(&["--filter", "state=dead"]), "batch");
    assert_eq!(chosen(&["--filter", "kind=slice"]), "/system.slice");
    assert_eq!(chosen(&["-f", "label=app=shop"]), "web");
    assert_eq!(chosen(&["-f", "label=app=bank"]), "");
    assert_eq!(
        chosen(&["-f", "runtime=systemd", "-f", "runtime=docker"]),
        "web nginx.service"
    );
    assert_eq!(chosen(&["-f", "runtime=docker", "-f", "kind=unit"]), "");
}

#[test]
fn json_has_everything() {
    let world = World::new();
    let list = world.json(&["workloads", "--filter", "name=web"]);
    assert_eq!(list["tick"], 3);
    assert_eq!(list["taken"], "2024-05-06T10:00:03Z");
    let web = &list["workloads"][0];
    assert_eq!(web["identity"]["name"], "web");
    assert_eq!(web["reading"]["limits"]["memory_max_bytes"], 256 << 20);
    assert_eq!(web["oom_kills"], 2);
    assert_eq!(list["workloads"].as_array().unwrap().len(), 1);
}

#[test]
fn folded_workloads_are_mentioned() {
    let mut folded = snapshot(3);
    folded.folded_workloads = 17;
    let world = World::with(folded);
    let output = world.command(&["workloads"]).output().unwrap();
    let expected =
        "plimsoll: 17 more workloads are summed into `other`: see containers.max_workloads\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    world.snapshots.send_replace(Arc::new(snapshot(4)));
    assert!(
        world
            .command(&["workloads"])
            .output()
            .unwrap()
            .stderr
            .is_empty()
    );
}
