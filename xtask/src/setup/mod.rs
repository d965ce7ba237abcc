//! `cargo xtask setup`: installs what is missing, unattended, and says what it did.
//!
//! Four parts, for those who need only one: what `build-ebpf`, `check`, `test` and `vm-test`
//! take. Building the agent takes none of them, only stable Rust and [`AGENT_PACKAGES`].

mod apt;
mod tools;

use anyhow::{Result, bail};

use crate::build_ebpf::{self, Toolchain};

/// Debian's compiler, the standard library's sources for it, and the LLVM it is built on.
const BUILD_PACKAGES: &[&str] = &["rustc-web", "rust-web-src", "llvm-22-dev"];
/// What the agent is linked with: workloads' seccomp filters are made by libseccomp.
const AGENT_PACKAGES: &[&str] = &["libseccomp-dev"];
/// `prometheus` brings promtool, which reads the rule files.
const CHECK_PACKAGES: &[&str] = &["rust-web-clippy", "python3-venv", "prometheus"];
/// Loads, engines and oracles of the privileged tests.
const TEST_PACKAGES: &[&str] = &[
    "stress-ng",
    "fio",
    "iperf3",
    "busybox-static",
    "runc",
    "podman",
    "docker.io",
    "skopeo",
    "umoci",
    "libcap2-bin",
    "prometheus",
    "prometheus-node-exporter",
    "bpftool",
    "dbus",
    "strace",
    "iproute2",
    "nftables",
];
/// What `bench` measures beside the agent.
const BENCH_PACKAGES: &[&str] = &["prometheus-node-exporter", "netdata"];

/// QEMU, the guest's shell, and what unpacks kernels and their modules.
const VM_PACKAGES: &[&str] = &[
    "qemu-system-x86",
    "busybox-static",
    "kmod",
    "xz-utils",
    "zstd",
    "binutils",
    "dbus",
    "e2fsprogs",
    "stress-ng",
    "fio",
    "iperf3",
    "iproute2",
    "mount",
    "nftables",
    "curl",
    "libcap2-bin",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what `build-ebpf` needs
    #[arg(long)]
    build: bool,
    /// Only what `check` needs
    #[arg(long)]
    check: bool,
    /// Only what `test` needs
    #[arg(long)]
    test: bool,
    /// Only what `vm-test` needs
    #[arg(long)]
    vm: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let all = !(args.build || args.check || args.test || args.vm);
    if all || args.build {
        for_build()?;
    }
    if all || args.check {
        for_check()?;
    }
    if all || args.test {
        for_test()?;
    }
    if all || args.vm {
        for_vm()?;
    }
    Ok(())
}

/// Compiler with sources, and linker, of one LLVM.
fn for_build() -> Result<()> {
    match (Toolchain::find(), build_ebpf::linker()) {
        (Ok(toolchain), Ok(linker)) => {
            println!(
                "setup: build: {toolchain} and {} are there",
                linker.display()
            );
            return Ok(());
        }
        // The linker must be made for that compiler's LLVM, which no package here follows.
        (Ok(Toolchain::RustupNightly { .. }), Err(_)) => bail!(
            "rustup's nightly is there but bpf-linker is not; \
             install its release for that nightly: `cargo binstall bpf-linker`"
        ),
        (Ok(Toolchain::Distribution { .. }) | Err(_), _) => {}
    }
    if !apt::offers(BUILD_PACKAGES)? {
        bail!(
            "this system has no packages {}; install with rustup: \
             `rustup toolchain install nightly --component rust-src`, `cargo binstall bpf-linker`",
            BUILD_PACKAGES.join(" ")
        );
    }
    apt::ensure("build", BUILD_PACKAGES)?;
    if build_ebpf::linker().is_err() {
        tools::install_bpf_linker()?;
    }
    Toolchain::find().map(|toolchain| println!("setup: build: {toolchain} is ready"))
}

/// What building the agent takes; `cargo xtask run` calls this by itself.
pub(crate) fn for_agent() -> Result<()> {
    apt::ensure("agent", AGENT_PACKAGES)
}

fn for_check() -> Result<()> {
    for_agent()?;
    apt::ensure("check", CHECK_PACKAGES)?;
    tools::ensure_components()?;
    tools::ensure_cargo_deny()?;
    tools::ensure_typos()
}

/// Packages that the tests use; `cargo xtask test` calls this by itself.
pub(crate) fn for_test() -> Result<()> {
    for_agent()?;
    apt::ensure("test", TEST_PACKAGES)
}

/// Packages that guests are made with; `cargo xtask vm-test` calls this by itself.
pub(crate) fn for_vm() -> Result<()> {
    for_agent()?;
    apt::ensure("vm", VM_PACKAGES)
}

pub(crate) use tools::typos;

/// Peers that `cargo xtask bench` measures; nothing else takes them.
pub(crate) fn for_bench() -> Result<()> {
    for_agent()?;
    apt::ensure("bench", BENCH_PACKAGES)
}

/// Loads of `cargo xtask bench --only hold`.
pub(crate) fn for_bench_of_holding() -> Result<()> {
    apt::ensure("bench", &["iperf3", "iproute2"])
}

pub(crate) use apt::unpacked;
