//! Puts the BPF objects where the agent's sources embed them, in `$OUT_DIR`.
//!
//! The prebuilt ones, so that a build needs stable Rust alone; or those in the folder that
//! `PLIMSOLL_BPF_OBJECTS` names (relative to the workspace's root), which is how freshly built
//! ones are tested.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const PREBUILT: &str = "ebpf/prebuilt";
const VARIABLE: &str = "PLIMSOLL_BPF_OBJECTS";
const OBJECTS: [&str; 2] = ["plimsoll-ebpf.o", "plimsoll-rules.o"];

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    if let Err(problem) = place_objects() {
        println!("cargo::error={problem}");
    }
}

fn place_objects() -> Result<(), String> {
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo set no CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package)
        .parent()
        .ok_or("the agent is outside of its workspace")?;
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
    // Joining an absolute path yields that path.
    let folder = root.join(named.map_or_else(|| PathBuf::from(PREBUILT), PathBuf::from));
    let placed = env::var_os("OUT_DIR").ok_or("cargo set no OUT_DIR")?;
    for name in OBJECTS {
        let object = folder.join(name);
        println!("cargo::rerun-if-changed={}", object.display());
        fs::copy(&object, Path::new(&placed).join(name)).map_err(|error| {
            format!(
                "cannot take the BPF object from {}: {error}; \
                 `cargo xtask build-ebpf --commit` makes the prebuilt one",
                object.display()
            )
        })?;
    }
    Ok(())
}
