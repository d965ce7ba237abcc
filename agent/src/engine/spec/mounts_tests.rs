//! Mounts and their order.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use bollard::models::ContainerCreateBody;
use serde_json::{Value, json};

use super::*;
use crate::cgroup::Layout;
use crate::engine::spec::{Files, Joined};

struct Given {
    body: Value,
    mounts: Vec<ResolvedMount>,
    files: Files,
    join: Joined,
}

impl Given {
    fn new(host: Value) -> Self {
        Self {
            body: json!({"HostConfig": host}),
            mounts: Vec::new(),
            files: Files::default(),
            join: Joined::default(),
        }
    }

    fn mount(mut self, source: &str, target: &str, options: &[&str]) -> Self {
        self.mounts.push(ResolvedMount {
            source: source.into(),
            target: target.into(),
            options: owned(options),
        });
        self
    }

    fn of(&self) -> Result<Mounts, SpecError> {
        let body: ContainerCreateBody = serde_json::from_value(self.body.clone()).unwrap();
        let layout = Layout::from_hierarchies(Vec::new());
        let parts = Parts {
            id: "id",
            body: &body,
            image: None,
            rootfs: Path::new("/nonesuch"),
            hostname: "h",
            files: &self.files,
            mounts: &self.mounts,
            join: &self.join,
            cgroup_path: "/x",
            layout: &layout,
            terminal_size: None,
        };
        let modes = Modes::of(&parts.host()).unwrap();
        Mounts::of(&parts, &modes, None)
    }

    fn list(&self) -> Vec<Mount> {
        self.of().unwrap().list
    }
}

fn at<'a>(list: &'a [Mount], target: &str) -> &'a Mount {
    let mut found = list
        .iter()
        .filter(|mount| mount.destination() == Path::new(target));
    let mount = found
        .next()
        .unwrap_or_else(|| panic!("nothing at {target}"));
    assert!(found.next().is_none(), "twice at {target}");
    mount
}

fn options(mount: &Mount) -> String {
    mount.options().clone().unwrap_or_default().join(",")
}

fn targets(list: &[Mount]) -> Vec<&str> {
    list.iter()
        .map(|mount| mount.destination().to_str().unwrap())
        .collect()
}

#[test]
fn dockers_file_systems_are_there() {
    let list = Given::new(json!({})).list();
    assert_eq!(
        targets(&list),
        [
            "/proc",
            "/dev",
            "/dev/pts",
            "/sys",
            "/sys/fs/cgroup",
            "/dev/mqueue",
            "/dev/shm"
        ]
    );
    assert_eq!(options(at(&list, "/sys")), "nosuid,noexec,nodev,ro");
    assert_eq!(
        options(at(&list, "/dev/shm")),
        "nosuid,noexec,nodev,mode=1777,size=67108864"
    );
    assert!(options(at(&list, "/sys/fs/cgroup")).starts_with("ro,"));
    let privileged = Given::new(json!({"Privileged": true, "ShmSize": 4096})).list();
    assert_eq!(options(at(&privileged, "/sys")), "nosuid,noexec,nodev");
    assert!(!options(at(&privileged, "/sys/fs/cgroup")).contains("ro,"));
    assert!(options(at(&privileged, "/dev/shm")).ends_with("size=4096"));
}

#[test]
fn the_users_come_last_outer_before_inner_and_take_a_defaults_place() {
    let given = Given::new(json!({"Tmpfs": {"/a/b": "exec", "/sys": ""}}))
        .mount("/s", "/a/b/c", &["rbind", "ro"])
        .mount("/s", "/a", &["rw"])
        .mount("/shm", "/dev/shm/", &["bind"]);
    let list = given.list();
    assert_eq!(
        targets(&list),
        [
            "/proc",
            "/dev",
            "/dev/pts",
            "/sys/fs/cgroup",
            "/dev/mqueue",
            "/sys",
            "/a",
            "/a/b",
            "/dev/shm",
            "/a/b/c"
        ]
    );
    assert_eq!(options(at(&list, "/a")), "rbind,rw");
    assert_eq!(options(at(&list, "/a/b")), "nosuid,nodev,exec");
    assert_eq!(options(at(&list, "/a/b/c")), "rbind,ro,rro");
    assert_eq!(at(&list, "/dev/shm").typ().as_deref(), Some("bind"));
}

#[test]
fn read_only_is_read_only_inside_unless_told_otherwise() {
    let mounts = json!([{"Type": "bind", "Source": "/s", "Target": "/a",
        "BindOptions": {"ReadOnlyNonRecursive": true}}]);
    let given = Given::new(json!({"Mounts": mounts})).mount("/s", "/a", &["rbind", "ro"]);
    assert_eq!(options(at(&given.list(), "/a")), "rbind,ro");
}

#[test]
fn files_give_way_to_mounts_and_follow_the_root() {
    let mut given = Given::new(json!({"ReadonlyRootfs": true})).mount("/mine", "/etc/hosts", &[]);
    given.files = Files {
        resolv_conf: Some("/engine/resolv.conf".into()),
        hosts: Some("/engine/hosts".into()),
        hostname: None,
    };
    let list = given.list();
    assert_eq!(
        at(&list, "/etc/hosts").source().as_deref(),
        Some(Path::new("/mine"))
    );
    assert_eq!(options(at(&list, "/etc/resolv.conf")), "rbind,ro,rro");
    assert!(!targets(&list).contains(&"/etc/hostname"));
}

#[test]
fn shared_memory_goes_with_the_ipc_namespace() {
    let host = Given::new(json!({"IpcMode": "host"})).list();
    assert_eq!(
        at(&host, "/dev/shm").source().as_deref(),
        Some(Path::new("/dev/shm"))
    );
    let none = Given::new(json!({"IpcMode": "none"})).list();
    assert!(!targets(&none).contains(&"/dev/shm"));
    for mode in ["shareable", "container:x"] {
        let mut given = Given::new(json!({"IpcMode": mode}));
        given.join.shm = Some("/run/x.shm".into());
        let list = given.list();
        assert_eq!(
            at(&list, "/dev/shm").source().as_deref(),
            Some(Path::new("/run/x.shm"))
        );
    }
}

#[test]
fn propagation_is_the_strongest_wish() {
    let of = |options: &[&str]| {
        let given = Given::new(json!({}))
            .mount("/s", "/a", &["rbind"])
            .mount("/s", "/b", options);
        given
            .of()
            .map(|mounts| mounts.propagation)
            .map_err(|error| error.to_string())
    };
    assert_eq!(of(&["rprivate"]).unwrap(), "private");
    assert_eq!(of(&["rslave"]).unwrap(), "slave");
    assert!(of(&["rshared"]).unwrap_err().contains("not supported"));
}

#[test]
fn paths_are_made_plain() {
    for (path, plain) in [
        ("/a/../b/./c/", "/b/c"),
        ("/../..", "/"),
        ("a", "/a"),
        ("//x", "/x"),
    ] {
        assert_eq!(normal(Path::new(path)), Path::new(plain));
    }
}
