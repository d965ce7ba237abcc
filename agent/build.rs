//! Puts the BPF object where the agent's sources embed it: `$OUT_DIR/plimsoll-ebpf.o`.
//!
//! The prebuilt object, so that a build needs stable Rust alone; or the one that
//! `PLIMSOLL_BPF_OBJECT` names (relative to the workspace's root), which is how a freshly built
//! one is tested.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const PREBUILT: &str = "ebpf/prebuilt/plimsoll-ebpf.o";
const VARIABLE: &str = "PLIMSOLL_BPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    if let Err(problem) = place_object() {
        println!("cargo::error={problem}");
    }
}

fn place_object() -> Result<(), String> {
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo set no CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package)
        .parent()
        .ok_or("the agent is outside of its workspace")?;
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
    // Joining an absolute path yields that path.
    let object = root.join(named.map_or_else(|| PathBuf::from(PREBUILT), PathBuf::from));
    println!("cargo::rerun-if-changed={}", object.display());

    let folder = env::var_os("OUT_DIR").ok_or("cargo set no OUT_DIR")?;
    let placed = Path::new(&folder).join("plimsoll-ebpf.o");
    fs::copy(&object, placed).map(drop).map_err(|error| {
        format!(
            "cannot take the BPF object from {}: {error}; \
             `cargo xtask build-ebpf --commit` makes the prebuilt one",
            object.display()
        )
    })
}
