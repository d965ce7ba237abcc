//! The digest that ties the prebuilt object to the sources it was built from.
//!
//! It covers the sources, not the output: compilers that differ by a patch release make different
//! objects of the same sources. A second digest, of the object, tells that the file that lies
//! there is the one that was built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::inputs::{self, Inputs};

pub(crate) const PREBUILT_OBJECT: &str = "ebpf/prebuilt/plimsoll-ebpf.o";
pub(crate) const PREBUILT_DIGEST: &str = "ebpf/prebuilt/plimsoll-ebpf.sha256";

const MENDED_BY: &str = "`cargo xtask build-ebpf --commit` mends it";

/// Replaces the prebuilt object and writes both digests.
pub(crate) fn commit(root: &Path, object: &[u8]) -> Result<()> {
    let digests = Digests {
        sources: of_inputs(&inputs::collect(root)?),
        object: hex(&Sha256::digest(object)),
    };
    let folder = root.join("ebpf/prebuilt");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(root.join(PREBUILT_OBJECT), object)
        .with_context(|| format!("cannot write {PREBUILT_OBJECT}"))?;
    fs::write(root.join(PREBUILT_DIGEST), digests.to_text())
        .with_context(|| format!("cannot write {PREBUILT_DIGEST}"))
}

/// Fails unless the prebuilt object was built from the sources as they are now.
pub(crate) fn check(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(PREBUILT_DIGEST))
        .with_context(|| format!("cannot read {PREBUILT_DIGEST}; {MENDED_BY}"))?;
    let committed = Digests::from_text(&text)
        .with_context(|| format!("{PREBUILT_DIGEST} is not as it was written; {MENDED_BY}"))?;
    let object = fs::read(root.join(PREBUILT_OBJECT))
        .with_context(|| format!("cannot read {PREBUILT_OBJECT}; {MENDED_BY}"))?;
    if of_inputs(&inputs::collect(root)?) != committed.sources {
        bail!("the sources of {PREBUILT_OBJECT} changed since it was built; {MENDED_BY}");
    }
    if hex(&Sha256::digest(&object)) != committed.object {
        bail!("{PREBUILT_OBJECT} is not the object that {PREBUILT_DIGEST} names; {MENDED_BY}");
    }
    Ok(())
}

/// The two lines of the digest file, in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
struct Digests {
    sources: String,
    object: String,
}

impl Digests {
    fn to_text(&self) -> String {
        format!("sources {}\nobject {}\n", self.sources, self.object)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let sources = lines.next()?.strip_prefix("sources ")?.to_owned();
        let object = lines.next()?.strip_prefix("object ")?.to_owned();
        Some(Self { sources, object })
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
        commit(root, b"object").unwrap();
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
        write(tree.path(), PREBUILT_OBJECT, "another object");
        let message = check(tree.path()).unwrap_err().to_string();
        assert!(message.contains("is not the object"), "{message}");
    }

    #[test]
    fn a_missing_digest_names_what_mends_it() {
        let tree = committed_tree();
        fs::remove_file(tree.path().join(PREBUILT_DIGEST)).unwrap();
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
