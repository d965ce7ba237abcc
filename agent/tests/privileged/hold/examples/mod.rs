//! Each file of deploy/policies as it is, on containers that it matches by their labels and that
//! misbehave as it says. What a file waits for longer than ten seconds is shortened in its text.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batch;
mod burst;
mod disk;
mod labels;
mod leak;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::Cell;
use crate::support::{Agent, Settings};

#[test]
fn every_example_has_a_test() {
    let tested = [
        batch::FILE,
        burst::FILE,
        disk::FILE,
        labels::FILE,
        leak::FILE,
        network::FILE,
    ];
    let tested: BTreeSet<String> = tested.map(str::to_owned).into();
    let entries = fs::read_dir(directory()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<String>>(), tested);
}

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/policies"))
}

/// A file's text with some of its words changed, each of which must be in it once.
fn example(file: &str, changes: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(directory().join(file)).unwrap();
    for (old, new) in changes {
        assert_eq!(text.matches(old).count(), 1, "{old} in {file}");
        text = text.replace(old, new);
    }
    text
}

/// Passes for CRI-O, which writes down what the labels of its containers are.
struct Engine {
    storage: tempfile::TempDir,
}

impl Engine {
    fn new() -> Self {
        Self {
            storage: tempfile::tempdir().unwrap(),
        }
    }

    /// A container with one label.
    fn container(&self, test: &str, label: (&str, &str)) -> Option<Cell> {
        let (cell, id) = Cell::make_container(test)?;
        let bundle = self.storage.path().join("overlay-containers").join(&id);
        let bundle = bundle.join("userdata");
        fs::create_dir_all(&bundle).unwrap();
        let labels = serde_json::to_string(&BTreeMap::from([label])).unwrap();
        let annotations = BTreeMap::from([
            ("io.kubernetes.cri-o.ContainerType", "container"),
            ("io.kubernetes.cri-o.Name", test),
            ("io.kubernetes.cri-o.Labels", labels.as_str()),
        ]);
        let config = serde_json::json!({ "annotations": annotations });
        fs::write(bundle.join("config.json"), config.to_string()).unwrap();
        Some(cell)
    }

    /// An agent that asks it, with this policy.
    fn agent(&self, test: &str, policy: &str) -> Option<Agent> {
        let settings = Settings {
            containers_storage: Some(self.storage.path().to_owned()),
            ..Settings::default()
        };
        Agent::start_with_policy(test, &settings, policy)
    }
}
