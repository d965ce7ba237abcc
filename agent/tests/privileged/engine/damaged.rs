//! Files of state that a power cut left empty or cut short: the agent starts, and all else goes on.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, ContainerSummary, ExecConfig, NetworkCreateRequest, VolumeCreateRequest,
};
use plimsoll::engine::{Filters, ListQuery, RemoveOptions};

use super::harbour::{Harbour, Manned};
use super::wired::{import, on_host};

const TARGET: &str = "target";
/// Damaged alone: what hides the rest of a container.
const ALONE: [&str; 2] = [
    "data/containers/*/config.json",
    "run/workloads/*/state.json",
];
const EVERYTHING: RemoveOptions = RemoveOptions {
    force: true,
    volumes: true,
};

/// Everything a container can have.
fn target(harbour: &Harbour) -> ContainerCreateBody {
    let mut body = harbour.body("sleep 1000");
    body.image = Some("box".to_owned());
    let host = body.host_config.as_mut().unwrap();
    host.annotations = None;
    host.network_mode = Some("net".to_owned());
    host.binds = Some(vec!["volume:/volume".to_owned()]);
    body
}

/// Makes what the damage before cost.
async fn complete(harbour: &Harbour, manned: &Manned) {
    let engine = &manned.engine;
    if engine.images().resolve("box").is_err() {
        import(harbour, manned);
    }
    if engine.networks().inspect("net").is_err() {
        let request = NetworkCreateRequest {
            name: "net".to_owned(),
            ..NetworkCreateRequest::default()
        };
        engine.networks().create(&request).unwrap();
    }
    let request = VolumeCreateRequest {
        name: Some("volume".to_owned()),
        labels: Some(HashMap::from([("of".to_owned(), "test".to_owned())])),
        ..VolumeCreateRequest::default()
    };
    if engine.volumes().inspect("volume").is_err() {
        engine.volumes().create(&request).unwrap();
    }
    let id = match engine.resolve(TARGET) {
        Ok(id) => id.to_string(),
        Err(_) => {
            let made = engine.create(Some(TARGET.to_owned()), target(harbour));
            made.await.unwrap().id
        }
    };
    if !engine.runs(&id).unwrap() {
        engine.start(&id).await.unwrap();
    }
    let config = ExecConfig {
        cmd: Some(["sleep", "1000"].map(str::to_owned).to_vec()),
        ..ExecConfig::default()
    };
    let exec = engine.exec_create(&id, config).unwrap();
    engine.exec_start(&exec, true, None).await.unwrap();
}

/// Files of state, by what they are: with a star for each id.
fn files(harbour: &Harbour, bystander: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut left = vec![
        harbour.directory.join("data"),
        harbour.directory.join("run"),
    ];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap_or_default();
            let kind = entry.file_type().unwrap();
            let is_files = ["rootfs", "fs", "upper", "work", "_data"].contains(&name.as_str());
            if kind.is_dir() && !is_files && name != bystander {
                left.push(path);
            } else if kind.is_file() && (is_record(&path) || name.len() == 64) {
                found.push((anonymous(&path, &harbour.directory), path));
            }
        }
    }
    found.sort();
    found
}

fn is_record(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

fn anonymous(path: &Path, root: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap().components();
    let parts = parts.map(|part| {
        let text = part.as_os_str().to_string_lossy().into_owned();
        let stem = text.split('.').next().unwrap_or_default();
        let is_id = stem.len() >= 12 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { text.replace(stem, "*") } else { text }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn a_damaged_file_of_state_stops_no_agent() {
    on_host("a_damaged_file_of_state_stops_no_agent", damage_each);
}

async fn damage_each(harbour: Harbour) {
    let mut manned = harbour.man().await;
    let bystander = manned.run(harbour.body("sleep 1000")).await;
    let pid = manned.inspect(&bystander).await.state.unwrap().pid;
    let mut done = BTreeSet::new();
    for (length, round) in [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)] {
        complete(&harbour, &manned).await;
        manned.leave().await;
        let files = files(&harbour, &bystander);
        let (damaged, _) = files.iter().partition::<Vec<_>, _>(|(kind, _)| {
            let alone = ALONE.iter().position(|one| kind == one);
            alone.unwrap_or(ALONE.len()) == round
        });
        for (kind, path) in &damaged {
            let whole = fs::read(path).unwrap();
            let left = whole.len().checked_div(length).unwrap_or(0);
            fs::write(path, &whole[..left]).unwrap();
            done.insert(kind.clone());
        }

        let opened = harbour.try_man().await;
        manned = opened.unwrap_or_else(|error| panic!("{damaged:?}: {}", error.with_causes()));
        let state = manned.inspect(&bystander).await.state.unwrap();
        assert_eq!((state.running, state.pid), (Some(true), pid), "{damaged:?}");
        let all = ListQuery {
            all: true,
            ..ListQuery::default()
        };
        let listed = manned.engine.list(all).await.unwrap();
        assert!(listed.len() <= 2, "{damaged:?}: {listed:?}");
        manned
            .engine
            .image_list(Filters::new(), true)
            .await
            .unwrap();
        let volumes = manned.engine.volumes().list().unwrap();
        assert!(
            volumes.iter().any(|one| one.name == "volume"),
            "{damaged:?}"
        );
        assert!(manned.engine.networks().list().len() >= 3, "{damaged:?}");
        if damaged.iter().any(|(kind, _)| kind == ALONE[0]) {
            let one = listed
                .iter()
                .find(|one| one.id.as_ref() != Some(&bystander));
            remove_damaged(&harbour, &manned, one.unwrap()).await;
        }
        // What is still known of it can be removed.
        if let Err(error) = manned.engine.remove(TARGET, EVERYTHING).await {
            let text = error.with_causes();
            assert!(text.contains("No such container"), "{damaged:?}: {text}");
        }
        for (_, path) in damaged {
            if path.starts_with(harbour.directory.join("data/images")) {
                forget(&manned, path).await;
            }
        }
    }
    for kind in ALONE
        .into_iter()
        .chain(["data/volumes/volume/volume.json", "data/images/names.json"])
    {
        assert!(done.contains(kind), "{kind}: {done:#?}");
    }
    assert!(done.len() >= 10, "{done:#?}");
    manned.clear().await;
}

/// One of which nobody knows any more what it was: it runs on, and what it runs as is not made up.
async fn remove_damaged(harbour: &Harbour, manned: &Manned, one: &ContainerSummary) {
    let engine = &manned.engine;
    let id = one.id.clone().unwrap();
    let name = format!("damaged_{}", &id[..12]);
    assert_eq!(one.names.as_ref().unwrap(), &[format!("/{name}")]);
    let file = harbour
        .directory
        .join(format!("data/containers/{id}/config.json"));
    let left = fs::read(&file).unwrap();
    let pid = manned.inspect(&id).await.state.unwrap().pid.unwrap();
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(cgroup.contains(&id), "{pid}: {cgroup}");
    let refusal = engine.remove(&name, RemoveOptions::default()).await;
    assert!(refusal.unwrap_err().to_string().contains("running"));
    let refusal = engine.rename(&id, "another").await.unwrap_err().to_string();
    engine.stop(&id, None, Some(0)).await.unwrap();
    for refusal in [refusal, engine.start(&id).await.unwrap_err().to_string()] {
        let path = file.display().to_string();
        assert!(
            refusal.contains("is damaged") && refusal.contains(&path),
            "{refusal}"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), left);
    // It may have any of them.
    let volume = engine.volume_remove("volume", true).await.unwrap_err();
    let image = engine.image_remove("box", false).await.unwrap_err();
    for refusal in [volume.to_string(), image.to_string()] {
        assert!(refusal.contains(&id[..12]), "{refusal}");
    }
    engine.remove(&id[..12], EVERYTHING).await.unwrap();
    assert!(!file.parent().unwrap().exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

/// An image of which only half is known is made anew.
async fn forget(manned: &Manned, path: &Path) {
    let images = manned.engine.images();
    for image in images.list().unwrap() {
        let _not_there = manned.engine.image_remove(&image.id, true).await;
    }
    let _set_aside = fs::remove_file(path);
}
