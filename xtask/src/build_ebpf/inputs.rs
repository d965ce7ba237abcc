//! What the BPF object is made from, as far as it lies in the work tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::workspace;

/// Contents by name, sorted.
pub(super) type Inputs = BTreeMap<String, Vec<u8>>;

const MANIFESTS: [&str; 2] = ["ebpf/Cargo.toml", "ebpf/abi/Cargo.toml"];
const SOURCE_FOLDERS: [&str; 2] = ["ebpf/src", "ebpf/abi/src"];
/// What the root manifest says of the programs; the profile `bpf` inherits from `release`.
const SETTINGS: [&[&str]; 5] = [
    &["profile", "bpf"],
    &["profile", "release"],
    &["workspace", "package", "edition"],
    &["workspace", "dependencies", "aya-ebpf"],
    &["workspace", "dependencies", "aya-log-ebpf"],
];
/// Crates of the lock file whose code ends up in the object.
const LOCKED: [&str; 6] = [
    "aya-ebpf",
    "aya-ebpf-bindings",
    "aya-ebpf-macros",
    "aya-log-common",
    "aya-log-ebpf",
    "aya-log-ebpf-macros",
];

pub(super) fn collect(root: &Path) -> Result<Inputs> {
    let mut files: Vec<_> = MANIFESTS.iter().map(|path| root.join(path)).collect();
    for folder in SOURCE_FOLDERS {
        let sources = workspace::files_below(&root.join(folder), "rs")
            .with_context(|| format!("cannot list {folder}"))?;
        files.extend(sources);
    }
    let mut inputs = Inputs::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        inputs.insert(name.display().to_string(), content);
    }
    inputs.extend(settings(&table(root, "Cargo.toml")?));
    inputs.extend(locked(&table(root, "Cargo.lock")?));
    Ok(inputs)
}

fn table(root: &Path, name: &str) -> Result<Table> {
    fs::read_to_string(root.join(name))
        .with_context(|| format!("cannot read {name}"))?
        .parse()
        .with_context(|| format!("{name} is not TOML"))
}

fn settings(manifest: &Table) -> Inputs {
    let manifest = Value::Table(manifest.clone());
    SETTINGS
        .iter()
        .map(|path| {
            let found = path.iter().try_fold(&manifest, |value, key| value.get(key));
            let text = found.map_or_else(String::new, canonical);
            (format!("Cargo.toml {}", path.join(".")), text.into_bytes())
        })
        .collect()
}

fn locked(lock: &Table) -> Inputs {
    let packages = lock.get("package").and_then(Value::as_array);
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let name = package.get("name")?.as_str()?;
            let version = package.get("version")?.as_str()?;
            LOCKED
                .contains(&name)
                .then(|| (format!("Cargo.lock {name} {version}"), Vec::new()))
        })
        .collect()
}

/// The value with the keys of its tables sorted: neither order nor layout of the file counts.
fn canonical(value: &Value) -> String {
    let Some(table) = value.as_table() else {
        return value.to_string();
    };
    let sorted: BTreeMap<_, _> = table
        .iter()
        .map(|(key, value)| (key, canonical(value)))
        .collect();
    format!("{sorted:?}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn layout_of_the_manifest_does_not_count() {
        let one = "[profile.bpf]\nlto = true\ndebug = 2\n".parse().unwrap();
        let other = "profile = { bpf = { debug = 2, lto = true } }"
            .parse()
            .unwrap();
        assert_eq!(settings(&one), settings(&other));
    }

    #[test]
    fn only_crates_of_the_programs_count() {
        let lock = "[[package]]\nname = \"aya-ebpf\"\nversion = \"0.2.1\"\n\
                    [[package]]\nname = \"aya\"\nversion = \"0.14.0\"\n"
            .parse()
            .unwrap();
        let names: Vec<_> = locked(&lock).into_keys().collect();
        assert_eq!(names, ["Cargo.lock aya-ebpf 0.2.1"]);
    }

    #[test]
    fn this_work_tree_has_every_input() {
        let inputs = collect(&workspace::root()).unwrap();
        let empty: Vec<_> = inputs
            .iter()
            .filter(|(name, content)| name.starts_with("Cargo.toml") && content.is_empty())
            .collect();
        assert!(empty.is_empty(), "settings that are gone: {empty:?}");
        for name in LOCKED {
            let prefix = format!("Cargo.lock {name} ");
            assert!(inputs.keys().any(|key| key.starts_with(&prefix)), "{name}");
        }
        assert!(inputs.contains_key("ebpf/abi/src/map.rs"));
    }
}
