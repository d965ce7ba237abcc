//! Puts the BPF object where the agent embeds it from.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=PLIMSOLL_BPF_OBJECT");
    let prebuilt = "../ebpf/prebuilt/plimsoll-ebpf.o".into();
    let object = env::var_os("PLIMSOLL_BPF_OBJECT").map_or(prebuilt, PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let to = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if let Err(error) = fs::copy(&object, to.join("plimsoll-ebpf.o")) {
        println!(
            "cargo::error=no BPF object at {}: {error}",
            object.display()
        );
    }
}
