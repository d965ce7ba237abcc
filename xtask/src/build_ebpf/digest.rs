//! The digests that tie the prebuilt objects to the sources they were built from.
//!
//! One covers the sources, not the output: compilers that differ by a patch release make different
//! objects of the same sources. One of each object tells that the file that lies there is the one
//! that was built.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::inputs::{self, Inputs};

/// Folder of the prebuilt objects, below the workspace's root.
pub(crate) const PREBUILT: &str = "ebpf/prebuilt";
const DIGESTS: &str = "ebpf/prebuilt/plimsoll-ebpf.sha256";

const MENDED_BY: &str = "`cargo xtask build-ebpf --commit` mends it";

/// Contents by file name.
pub(super) type Objects = BTreeMap<String, Vec<u8>>;

/// Replaces the prebuilt objects and writes the digests.
pub(super) fn commit(root: &Path, objects: &Objects) -> Result<()> {
    let folder = root.join(PREBUILT);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut digests = Digests {
        sources: of_inputs(&inputs::collect(root)?),
        objects: BTreeMap::new(),
    };
    for (name, object) in objects {
        fs::write(folder.join(name), object)
            .with_context(|| format!("cannot write {PREBUILT}/{name}"))?;
        digests
            .objects
            .insert(name.clone(), hex(&Sha256::digest(object)));
    }
    fs::write(root.join(DIGESTS), digests.to_text())
        .with_context(|| format!("cannot write {DIGESTS}"))
}

/// Fails unless the prebuilt objects were built from the sources as they are now.
pub(crate) fn check(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(DIGESTS))
        .with_context(|| format!("cannot read {DIGESTS}; {MENDED_BY}"))?;
    let committed = Digests::from_text(&text)
        .with_context(|| format!("{DIGESTS} is not as it was written; {MENDED_BY}"))?;
    if of_inputs(&inputs::collect(root)?) != committed.sources {
        bail!("the sources of {PREBUILT} changed since it was built; {MENDED_BY}");
    }
    for (name, digest) in &committed.objects {
        let object = fs::read(root.join(PREBUILT).join(name))
            .with_context(|| format!("cannot read {PREBUILT}/{name}; {MENDED_BY}"))?;
        if hex(&Sha256::digest(&object)) != *digest {
            bail!("{PREBUILT}/{name} is not the object that {DIGESTS} names; {MENDED_BY}");
        }
    }
    Ok(())
}

/// The lines of the digest file: a name and a digest in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
struct Digests {
    sources: String,
    objects: BTreeMap<String, String>,
}

impl Digests {
    fn to_text(&self) -> String {
        let objects = self.objects.iter();
        let lines = objects.map(|(name, digest)| format!("{name} {digest}\n"));
        format!("sources {}\n{}", self.sources, lines.collect::<String>())
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let sources = lines.next()?.strip_prefix("sources ")?.to_owned();
        let objects = lines.map(|line| {
            let (name, digest) = line.split_once(' ')?;
            Some((name.to_owned(), digest.to_owned()))
        });
        Some(Self {
            sources,
            objects: objects.collect::<Option<_>>()?,
        })
    }
}

/// Lengths go in before what they measure: no byte can move from one input to the next unseen.
fn of_inputs(inputs: &Inputs) -> String {
    let mut hasher = Sha256::new();
    for (name, content) in inputs {
        for part in [name.as_bytes(), content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn write(root: &Path, name: &str, content: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A work tree with all that the digest covers, and its committed object.
    fn committed_tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        write(
            root,
            "Cargo.toml",
            "[profile.release]\nlto = \"thin\"\n[profile.bpf]\ninherits = \"release\"\n",
        );
        write(root, "Cargo.lock", "version = 4\n");
        write(root, "ebpf/Cargo.toml", "[package]\n");
        write(root, "ebpf/abi/Cargo.toml", "[package]\n");
        write(root, "ebpf/src/main.rs", "mod probes;\n");
        write(root, "ebpf/src/probes/cgroup.rs", "// mkdir\n");
        write(root, "ebpf/abi/src/lib.rs", "// abi\n");
        let objects = Objects::from([("one.o".into(), b"object".to_vec())]);
        commit(root, &objects).unwrap();
        tree
    }

    #[test]
    fn an_untouched_tree_passes() {
        let tree = committed_tree();
        check(tree.path()).unwrap();
    }

    #[test]
    fn every_kind_of_source_counts() {
        for (name, content) in [
            ("ebpf/src/probes/cgroup.rs", "// rmdir\n"),
            ("ebpf/src/probes/new.rs", ""),
            ("ebpf/abi/src/lib.rs", "// other abi\n"),
            ("ebpf/Cargo.toml", "[package]\nname = \"x\"\n"),
            ("Cargo.toml", "[profile.bpf]\nlto = true\n"),
            (
                "Cargo.lock",
                "[[package]]\nname = \"aya-ebpf\"\nversion = \"9.9.9\"\n",
            ),
        ] {
            let tree = committed_tree();
            write(tree.path(), name, content);
            let message = check(tree.path()).unwrap_err().to_string();
            assert!(message.contains("changed since it was built"), "{name}");
            assert!(message.contains("build-ebpf --commit"), "{name}");
        }
    }

    #[test]
    fn what_does_not_go_into_the_object_does_not_count() {
        let tree = committed_tree();
        write(tree.path(), "ebpf/src/main.rs.orig", "left behind");
        write(tree.path(), "agent/src/main.rs", "fn main() {}");
        check(tree.path()).unwrap();
    }

    #[test]
    fn an_object_replaced_by_hand_is_found() {
        let tree = committed_tree();
        write(tree.path(), "ebpf/prebuilt/one.o", "another object");
        let message = check(tree.path()).unwrap_err().to_string();
        assert!(message.contains("is not the object"), "{message}");
    }

    #[test]
    fn a_missing_digest_names_what_mends_it() {
        let tree = committed_tree();
        fs::remove_file(tree.path().join(DIGESTS)).unwrap();
        let message = check(tree.path()).unwrap_err().to_string();
        assert!(message.contains("build-ebpf --commit"), "{message}");
    }

    #[test]
    fn bytes_cannot_move_between_inputs() {
        let one = Inputs::from([("a".into(), b"bc".to_vec()), ("d".into(), Vec::new())]);
        let other = Inputs::from([("a".into(), b"b".to_vec()), ("cd".into(), Vec::new())]);
        assert_ne!(of_inputs(&one), of_inputs(&other));
    }
}
