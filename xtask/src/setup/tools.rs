//! Tools that no Debian package brings: from crates.io, PyPI and rustup.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build_ebpf::DISTRIBUTION_LLVM;
use crate::{command, host, workspace};

const BPF_LINKER_VERSION: &str = "0.13.0";
/// The linker's name for [`DISTRIBUTION_LLVM`].
const LLVM_FEATURE: &str = "llvm-22";
const CARGO_DENY_VERSION: &str = "0.20.2";
const TYPOS_VERSION: &str = "1.52.0";

/// Builds the linker against Debian's LLVM.
pub(super) fn install_bpf_linker() -> Result<()> {
    println!("setup: build: installing bpf-linker {BPF_LINKER_VERSION} (about a minute)");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![PathBuf::from(DISTRIBUTION_LLVM).join("bin")];
    folders.extend(std::env::split_paths(&path));
    command::run(
        cargo_install("bpf-linker", BPF_LINKER_VERSION)
            .args(["--no-default-features", "--features", LLVM_FEATURE])
            .env("LLVM_PREFIX", DISTRIBUTION_LLVM)
            .env("PATH", std::env::join_paths(folders)?)
            .env("RUSTFLAGS", format!("-L native={DISTRIBUTION_LLVM}/lib")),
    )
}

/// rustfmt and clippy of the toolchain at hand; rustup's minimal profile leaves them out.
pub(super) fn ensure_components() -> Result<()> {
    for component in ["fmt", "clippy"] {
        let there = command::answer(workspace::cargo().args([component, "--version"])).is_some();
        if there {
            continue;
        }
        let Some(rustup) = host::program("rustup") else {
            bail!("`cargo {component}` is missing, and there is no rustup to add it");
        };
        println!("setup: check: adding rustfmt and clippy");
        command::run(Command::new(rustup).args(["component", "add", "rustfmt", "clippy"]))?;
    }
    Ok(())
}

pub(super) fn ensure_cargo_deny() -> Result<()> {
    if let Some(found) = host::program("cargo-deny") {
        println!("setup: check: {} is there", found.display());
        return Ok(());
    }
    println!("setup: check: installing cargo-deny {CARGO_DENY_VERSION} (about a minute)");
    command::run(&mut cargo_install("cargo-deny", CARGO_DENY_VERSION))
}

/// The spelling checker comes as a wheel with the program in it: seconds, not minutes.
pub(super) fn ensure_typos() -> Result<()> {
    if let Ok(found) = typos() {
        println!("setup: check: {} is there", found.display());
        return Ok(());
    }
    println!("setup: check: installing typos {TYPOS_VERSION}");
    let folder = typos_folder();
    command::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    command::run(
        Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("typos=={TYPOS_VERSION}")),
    )?;
    typos().map(drop)
}

/// The spelling checker of the version that the project's word list was made for.
pub(crate) fn typos() -> Result<PathBuf> {
    let program = typos_folder().join("bin/typos");
    program
        .exists()
        .then_some(program)
        .context("typos is not installed; `cargo xtask setup --check` installs it")
}

fn typos_folder() -> PathBuf {
    workspace::root().join(format!("target/tools/typos-{TYPOS_VERSION}"))
}

/// Built for a short build: these tools run for seconds.
fn cargo_install(name: &str, version: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo
        .args(["install", "--locked", name, "--version", version])
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    cargo
}
