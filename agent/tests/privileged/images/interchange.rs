//! Archives of skopeo's are loaded, and ours are read by it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::archive::{files, honest, run, store};
use crate::support::installed;

#[test]
fn skopeo_and_we_understand_each_other() {
    let test = "skopeo_and_we_understand_each_other";
    if !installed(test, "skopeo") {
        return;
    }
    let Some((dir, store)) = store(test) else {
        return;
    };
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let layers = [files(&[("etc/a", b"a")]), files(&[("etc/.wh.a", b"")])];
    let id = store
        .load(&honest("plimsoll/x:1", &[&layers[0], &layers[1]])[..])
        .unwrap()[0]
        .id;
    store
        .save(
            &["plimsoll/x:1"],
            fs::File::create(path("saved.tar")).unwrap(),
        )
        .unwrap();
    // As a docker archive and as an OCI one: skopeo verifies all digests.
    let saved = format!("docker-archive:{}", path("saved.tar"));
    let inspected = run(
        "skopeo",
        &["inspect", &format!("{saved}:docker.io/plimsoll/x:1")],
    );
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 2);
    let policy = "--insecure-policy";
    let as_oci = format!("oci-archive:{}:plimsoll/x:2", path("oci.tar"));
    run(
        "skopeo",
        &[
            policy,
            "copy",
            &format!("oci-archive:{}", path("saved.tar")),
            &as_oci,
        ],
    );
    let as_docker = format!("docker-archive:{}:plimsoll/x:3", path("docker.tar"));
    run("skopeo", &[policy, "copy", &saved, &as_docker]);
    let as_layout = format!("oci:{}:x", path("layout"));
    run(
        "skopeo",
        &[
            policy,
            "copy",
            "--dest-oci-accept-uncompressed-layers",
            &saved,
            &as_layout,
        ],
    );
    for (archive, name) in [("oci.tar", "plimsoll/x:2"), ("docker.tar", "plimsoll/x:3")] {
        let loaded = store.load(fs::File::open(path(archive)).unwrap()).unwrap();
        assert_eq!(loaded[0].names[0].0.to_string(), name);
        // OCI's form of the configuration is another document than docker's.
        let image = store.image(&loaded[0].id).unwrap();
        assert_eq!(
            image.layers(),
            store.image(&id).unwrap().layers(),
            "{archive}"
        );
    }
    let loaded = store.load_layout(Path::new(&path("layout"))).unwrap();
    assert_eq!(loaded[0].names, [], "a tag alone is no name");
    let zipped = path("docker.tar.gz");
    run(
        "sh",
        &[
            "-c",
            "gzip <\"$1\" >\"$2\"",
            "sh",
            &path("docker.tar"),
            &zipped,
        ],
    );
    let loaded = store.load(fs::File::open(zipped).unwrap()).unwrap();
    assert_eq!(loaded[0].names[0].0.to_string(), "plimsoll/x:3");
}
