//! `cargo xtask`: sets up, builds, checks, tests and runs Plimsoll, unattended.
//!
//! One module per verb; each says what it does as it does it, and fails with what mends it.

mod bench;
mod build_ebpf;
mod check;
mod command;
mod docs;
mod host;
mod run;
mod setup;
mod test;
mod vm_test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, checks, tests and runs Plimsoll.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is missing to build, check and test; says what it did
    Setup(setup::Args),
    /// Compile the BPF programs from source
    BuildEbpf(build_ebpf::Args),
    /// Format, lints, licences, spelling, prebuilt object, import arrows, generated files
    Check(check::Args),
    /// Build the agent in release and start it as root
    Run(run::Args),
    /// Run all tests that this host can run
    Test(test::Args),
    /// Run the tests of the whole agent on other kernels, in virtual machines
    VmTest(vm_test::Args),
    /// Measure probes, agent and peers; takes some minutes, as root
    Bench(bench::Args),
    /// A load that `bench` starts
    #[command(hide = true)]
    BenchLoad(bench::LoadArgs),
    /// Generate the reference pages under docs/
    Docs(docs::Args),
}

fn main() -> ExitCode {
    if vm_test::guest::is_here() {
        return vm_test::guest::run();
    }
    let outcome = match Cli::parse().verb {
        Verb::Setup(args) => setup::run(&args),
        Verb::BuildEbpf(args) => build_ebpf::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Test(args) => test::run(&args),
        // Its exit status tells failed tests from a run that could not be made.
        Verb::VmTest(args) => return vm_test::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::BenchLoad(args) => bench::run_load(&args),
        Verb::Docs(args) => docs::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
