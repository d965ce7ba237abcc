//! Whole specifications.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use bollard::models::ContainerCreateBody;
use libcontainer::oci_spec::image::ImageConfiguration;
use libcontainer::oci_spec::runtime::Capability;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::cgroup::{Controller, Hierarchy, HierarchyId, Layout};
use crate::engine::spec::{Files, Joined};

fn rootfs() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "web:x:33:34::/:/bin/sh\n").unwrap();
    root
}

fn image() -> ImageConfiguration {
    serde_json::from_value(json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"User": "web", "Env": ["PATH=/img", "A=image", "B=image"], "Cmd": ["serve"],
            "Entrypoint": ["/entry"], "WorkingDir": "/srv/app"}
    }))
    .unwrap()
}

fn hierarchy(id: u32, controllers: &[Controller]) -> Hierarchy {
    Hierarchy {
        id: HierarchyId(id),
        mount: format!("/nonesuch/{id}").into(),
        root: "/".to_owned(),
        controllers: controllers.to_vec(),
        name: None,
    }
}

fn built(body: Value, root: &Path, join: &Joined) -> Result<(Spec, Vec<String>), SpecError> {
    let body: ContainerCreateBody = serde_json::from_value(body).unwrap();
    super::super::validate(&body)?;
    let layout = Layout::from_hierarchies(vec![hierarchy(0, &[Controller::Memory])]);
    let image = image();
    build(&Parts {
        id: "abc",
        body: &body,
        image: Some(&image),
        rootfs: root,
        hostname: "abc",
        files: &Files::default(),
        mounts: &[],
        join,
        cgroup_path: "/plimsoll/abc",
        layout: &layout,
        terminal_size: Some((24, 80)),
    })
}

fn spec(body: Value) -> Value {
    let root = rootfs();
    let (spec, warnings) = built(body, root.path(), &Joined::default()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    serde_json::to_value(spec).unwrap()
}

fn kinds(spec: &Value) -> Vec<&str> {
    let namespaces = spec["linux"]["namespaces"].as_array().unwrap();
    namespaces
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect()
}

#[test]
fn an_image_and_nothing_else() {
    let root = rootfs();
    let body = json!({"Image": "x"});
    let (spec, warnings) = built(body, root.path(), &Joined::default()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(
        root.path().join("srv/app").is_dir(),
        "the working directory is made"
    );
    let spec = serde_json::to_value(spec).unwrap();
    assert_eq!(
        spec["root"],
        json!({"path": root.path(), "readonly": false})
    );
    assert_eq!(spec["hostname"], "abc");
    let process = &spec["process"];
    assert_eq!(process["args"], json!(["/entry", "serve"]));
    assert_eq!(process["cwd"], "/srv/app");
    assert_eq!(
        process["env"],
        json!(["PATH=/img", "HOSTNAME=abc", "A=image", "B=image"])
    );
    assert_eq!(
        process["user"],
        json!({"uid": 33, "gid": 34, "additionalGids": [34]})
    );
    assert_eq!(process["oomScoreAdj"], 0);
    assert_eq!(process["terminal"], false);
    for absent in [
        "noNewPrivileges",
        "rlimits",
        "apparmorProfile",
        "consoleSize",
    ] {
        assert_eq!(process.get(absent), None, "{absent}");
    }
    let bounding = process["capabilities"]["bounding"].as_array().unwrap();
    assert_eq!(bounding.len(), 14);
    assert_eq!(process["capabilities"]["effective"], json!([]), "not root");
    assert_eq!(
        kinds(&spec),
        ["mount", "network", "pid", "ipc", "uts", "cgroup"]
    );
    let linux = &spec["linux"];
    assert_eq!(linux["cgroupsPath"], "/plimsoll/abc");
    assert_eq!(linux["rootfsPropagation"], "private");
    assert_eq!(
        linux["resources"],
        json!({"devices": [{"allow": false, "type": "a", "access": "rwm"}]})
    );
    assert_eq!(linux["sysctl"]["net.ipv4.ip_unprivileged_port_start"], "0");
    assert_eq!(linux["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
    for absent in [
        "uidMappings",
        "devices",
        "intelRdt",
        "personality",
        "mountLabel",
        "timeOffsets",
    ] {
        assert_eq!(linux.get(absent), None, "{absent}");
    }
}

#[test]
fn what_the_container_says_counts() {
    let spec = spec(json!({
        "User": "0", "Env": ["A=own"], "Cmd": ["once"], "WorkingDir": "/", "Tty": true,
        "Domainname": "example.org",
        "HostConfig": {
            "ReadonlyRootfs": true, "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
            "CapDrop": ["ALL"], "OomScoreAdj": 500, "PidsLimit": 9, "GroupAdd": ["50"],
            "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 6}],
            "Annotations": {"plimsoll.memory-high": "64k", "plimsoll.time-offset": "boottime=9"}
        }
    }));
    assert_eq!(spec["root"]["readonly"], true);
    assert_eq!(spec["domainname"], "example.org");
    let process = &spec["process"];
    assert_eq!(process["args"], json!(["/entry", "once"]));
    assert_eq!(
        process["env"],
        json!([
            "PATH=/img",
            "HOSTNAME=abc",
            "TERM=xterm",
            "A=own",
            "B=image"
        ])
    );
    assert_eq!(process["user"]["additionalGids"], json!([0, 50]));
    assert_eq!(process["noNewPrivileges"], true);
    assert_eq!(process["consoleSize"], json!({"height": 24, "width": 80}));
    assert_eq!(process["oomScoreAdj"], 500);
    assert_eq!(process["capabilities"]["bounding"], json!([]));
    assert_eq!(
        process["rlimits"],
        json!([{"type": "RLIMIT_NOFILE", "hard": 6, "soft": 5}])
    );
    let linux = &spec["linux"];
    assert_eq!(linux.get("seccomp"), None);
    assert_eq!(linux["resources"]["pids"]["limit"], 9);
    assert_eq!(
        linux["resources"]["unified"],
        json!({"memory.high": "65536"})
    );
    assert_eq!(linux["timeOffsets"]["boottime"]["secs"], 9);
    assert!(kinds(&spec).contains(&"time"));
    assert_eq!(spec["annotations"]["plimsoll.memory-high"], "64k");
}

#[test]
fn namespaces_are_the_hosts_or_of_another() {
    let host = spec(
        json!({"HostConfig": {"NetworkMode": "host", "PidMode": "host", "IpcMode": "host",
        "UTSMode": "host", "CgroupnsMode": "host"}}),
    );
    assert_eq!(kinds(&host), ["mount"]);
    assert_eq!(
        host.get("hostname"),
        None,
        "libcontainer refuses it without a namespace"
    );
    assert_eq!(host["linux"]["sysctl"], json!({}));

    let join = Joined {
        network: Some("/proc/7/ns/net".into()),
        pid: Some("/proc/7/ns/pid".into()),
        ..Default::default()
    };
    let root = rootfs();
    let body = json!({"HostConfig": {"NetworkMode": "container:x", "PidMode": "container:x"}});
    let (spec, _) = built(body.clone(), root.path(), &join).unwrap();
    let namespaces = serde_json::to_value(spec.linux().as_ref().unwrap().namespaces()).unwrap();
    assert_eq!(
        namespaces[1],
        json!({"type": "network", "path": "/proc/7/ns/net"})
    );
    assert_eq!(
        namespaces[2],
        json!({"type": "pid", "path": "/proc/7/ns/pid"})
    );
    assert!(
        built(body, root.path(), &Joined::default()).is_err(),
        "nobody to join"
    );
}

#[test]
fn privileged_is_not_confined() {
    let spec = spec(json!({"User": "0", "HostConfig": {"Privileged": true}}));
    let linux = &spec["linux"];
    assert_eq!(linux.get("seccomp"), None);
    assert_eq!(linux["maskedPaths"], json!([]));
    assert_eq!(linux["readonlyPaths"], json!([]));
    let rule = json!([{"allow": true, "type": "a", "access": "rwm"}]);
    assert_eq!(linux["resources"]["devices"], rule);
    let held: Capabilities =
        serde_json::from_value(spec["process"]["capabilities"]["effective"].clone()).unwrap();
    assert_eq!(held, capability::held());
    assert!(
        linux["devices"]
            .as_array()
            .is_some_and(|nodes| !nodes.is_empty())
    );
}

#[test]
fn users_of_its_own_are_mapped() {
    let spec = spec(json!({"HostConfig": {"UsernsMode": "private", "CapAdd": ["SYS_ADMIN"]}}));
    assert!(kinds(&spec).contains(&"user"));
    let mapping = &spec["linux"]["uidMappings"][0];
    assert_eq!(
        (mapping["containerID"].clone(), mapping["size"].clone()),
        (json!(0), json!(65_536))
    );
    assert!(mapping["hostID"].as_u64().unwrap() > 0);
    assert_eq!(
        spec["linux"]["sysctl"].get("net.ipv4.ping_group_range"),
        None
    );
    let bounding: Capabilities =
        serde_json::from_value(spec["process"]["capabilities"]["bounding"].clone()).unwrap();
    assert!(bounding.contains(&Capability::SysAdmin));
}

#[test]
fn an_init_comes_before_the_command_where_there_is_one() {
    let root = rootfs();
    let body = json!({"HostConfig": {"Init": true}});
    match built(body, root.path(), &Joined::default()) {
        Ok((spec, _)) => {
            let spec = serde_json::to_value(spec).unwrap();
            let arguments = json!(["/sbin/docker-init", "--", "/entry", "serve"]);
            assert_eq!(spec["process"]["args"], arguments);
            let mounts = spec["mounts"].as_array().unwrap();
            let init = mounts
                .iter()
                .find(|mount| mount["destination"] == "/sbin/docker-init");
            assert_eq!(init.unwrap()["options"], json!(["bind", "ro"]));
        }
        Err(error) => assert!(
            error.to_string().starts_with("--init is not supported"),
            "{error}"
        ),
    }
    let with_host = json!({"HostConfig": {"Init": true, "PidMode": "host"}});
    let (spec, _) = built(with_host, root.path(), &Joined::default()).unwrap();
    let spec = serde_json::to_value(spec).unwrap();
    assert_eq!(spec["process"]["args"], json!(["/entry", "serve"]));
}

#[test]
fn memory_without_swap_is_told() {
    let root = rootfs();
    let body = json!({"HostConfig": {"Memory": 67_108_864, "OomKillDisable": true}});
    let (spec, warnings) = built(body, root.path(), &Joined::default()).unwrap();
    let memory = serde_json::to_value(spec.linux().as_ref().unwrap().resources()).unwrap();
    assert_eq!(
        memory["memory"],
        json!({"limit": 67_108_864, "swap": -1, "disableOOMKiller": true})
    );
    assert!(
        warnings[0].contains("Memory limited without swap"),
        "{warnings:?}"
    );
    let (_, warnings) = built(
        json!({"HostConfig": {"OomKillDisable": true}}),
        root.path(),
        &Joined::default(),
    )
    .unwrap();
    assert!(
        warnings[0].starts_with("OOM killer is disabled"),
        "{warnings:?}"
    );
}
