//! `cargo xtask build-ebpf`: the BPF objects, from source.
//!
//! In: the crate `plimsoll-ebpf`, a toolchain with the standard library's sources, `bpf-linker`.
//! Out: the objects in `target/bpf`, and with `--commit` the prebuilt ones and their digests.

pub(crate) mod digest;
mod inputs;
mod toolchain;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{command, host, workspace};

use digest::Objects;
pub(crate) use toolchain::{DISTRIBUTION_LLVM, Toolchain};

/// The objects, by the program of the crate that each is: what sees, and what holds rules.
const OBJECTS: [&str; 2] = ["plimsoll-ebpf", "plimsoll-rules"];
/// Where this verb leaves them, below the workspace's root.
const BUILT: &str = "target/bpf";

const TARGET: &str = "bpfel-unknown-none";

/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// The macros that make a function a program hand it its context by value.
const BY_VALUE: &str = "clippy::needless_pass_by_value";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also replace the prebuilt objects that `cargo build` embeds, and their digests
    #[arg(long)]
    commit: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let toolchain = Toolchain::find()?;
    let linker = linker()?;
    println!(
        "build-ebpf: {toolchain}; bpf-linker at {}",
        linker.display()
    );
    let mut build = toolchain.cargo();
    build.arg("build").args(target_arguments(&root));
    let flags = rust_flags(&root, &toolchain, &linker)?;
    command::run(build.env("CARGO_ENCODED_RUSTFLAGS", flags))?;

    let mut objects = Objects::new();
    for name in OBJECTS {
        let linked = target_dir(&root).join(TARGET).join("bpf").join(name);
        let object = target_dir(&root).join(format!("{name}.o"));
        // DWARF served to make the BTF, which stays; it is four fifths of the file.
        command::run(
            toolchain
                .objcopy()?
                .arg("--strip-debug")
                .args([&linked, &object]),
        )?;
        let bytes =
            fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
        println!("build-ebpf: {BUILT}/{name}.o, {} bytes", bytes.len());
        objects.insert(format!("{name}.o"), bytes);
    }
    if args.commit {
        digest::commit(&root, &objects)?;
        println!(
            "build-ebpf: wrote {}: commit it together with the sources",
            digest::PREBUILT
        );
    }
    Ok(())
}

/// Lints the programs, with the clippy of the compiler that builds them.
pub(crate) fn clippy() -> Result<()> {
    let mut clippy = Toolchain::find()?.cargo_clippy()?;
    clippy
        .arg("clippy")
        .args(target_arguments(&workspace::root()));
    command::run(clippy.args(["--", "--deny", "warnings", "--allow", BY_VALUE]))
}

/// The `bpf-linker` of this host.
pub(crate) fn linker() -> Result<PathBuf> {
    host::program("bpf-linker")
        .context("bpf-linker is not installed; `cargo xtask setup --build` installs it")
}

fn target_arguments(root: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--locked",
        "--package=plimsoll-ebpf",
        "--profile=bpf",
        "--target=bpfel-unknown-none",
        "-Zbuild-std=core",
        "--target-dir",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.push(target_dir(root).into_os_string());
    arguments
}

fn target_dir(root: &Path) -> PathBuf {
    root.join(BUILT)
}

/// `--btf` makes the linker turn debug info into BTF. The path prefixes of this machine are
/// taken out of that debug info, so that the object does not depend on where it was built.
fn rust_flags(root: &Path, toolchain: &Toolchain, linker: &Path) -> Result<OsString> {
    let mut flags = vec![
        joined("-Clinker=", linker),
        OsString::from("-Clink-arg=--btf"),
        OsString::from("-Cdebuginfo=2"),
        remap(root, "plimsoll"),
        remap(&toolchain.sources(), "rust"),
    ];
    let registries = workspace::cargo_home().map(|home| home.join("registry/src"));
    if let Some(registries) = registries.filter(|folder| folder.is_dir()) {
        for registry in registries.read_dir()? {
            flags.push(remap(&registry?.path(), "registry"));
        }
    }
    Ok(flags.join(OsStr::new(FLAG_SEPARATOR)))
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = joined("--remap-path-prefix=", from);
    flag.push("=");
    flag.push(to);
    flag
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(option);
    flag.push(path);
    flag
}
