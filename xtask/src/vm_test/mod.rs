//! `cargo xtask vm-test`: the agent and its tests on stock Debian kernels, in QEMU.
//!
//! Every guest runs the tests of the whole agent (`vm`), and of the privileged ones those that
//! `xtask/kernels.toml` names; `--test` or a filter asks for others. Kernels come from Debian's packages (unpacked, never installed), the guest's system is an
//! initramfs with this very xtask as its init, and the tests are those that `cargo test` builds.
//! Everything is kept below `target/vm`. Exit status: 1 when tests failed, 2 when it could not
//! be found out.

mod catalogue;
mod choice;
mod console;
mod cpio;
mod debian;
mod disk;
pub(crate) mod guest;
mod harness;
mod initramfs;
mod kernel;
mod machine;
mod matrix;
mod modules;
mod outcome;
mod programs;
mod protocol;
mod qemu;
mod selection;
mod support;
mod system;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use self::catalogue::{Catalogue, Entry};
use self::kernel::Kernel;
use self::matrix::Guest;
use self::outcome::Verdict;
use self::programs::Programs;
use self::protocol::World;
use self::qemu::Qemu;
use self::selection::Selection;
use self::system::System;
use crate::{host, setup, workspace};

/// Kernels, indexes, logs; below the workspace's root.
const CACHE: &str = "target/vm";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernels of xtask/kernels.toml, or any series that backports has [default: all of the file]
    #[arg(long, value_delimiter = ',', value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Only these cgroup set-ups: v2, hybrid, v1, systemd
    #[arg(long, value_delimiter = ',', value_parser = world, value_name = "WORLD")]
    world: Vec<World>,
    /// Only these test programs, whole: vm, privileged
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    test: Vec<String>,
    /// Guests that run at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Use what is there already; download nothing
    #[arg(long)]
    offline: bool,
    /// Only download and unpack
    #[arg(long)]
    fetch: bool,
    /// Write docs/kernel-support.md from what this run finds
    #[arg(long)]
    write_docs: bool,
    /// Only tests whose names contain one of these; further flags of the test harness
    #[arg(last = true)]
    harness: Vec<String>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match test(args) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Ok(Verdict::Infrastructure) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn test(args: &Args) -> Result<Verdict> {
    let began = Instant::now();
    if host::is_root() {
        setup::for_vm()?;
    }
    let cache = workspace::root().join(CACHE);
    fs::create_dir_all(cache.join("logs"))?;
    let qemu = Qemu::find(&cache, args.offline)?;
    println!("vm-test: {qemu}");
    let catalogue = Catalogue::read()?;
    let (kernels, mut worst) = kernels(args, &catalogue, &cache)?;
    let worlds = || {
        kernels.iter().flat_map(|(entry, kernel)| {
            let worlds = entry.worlds.iter().copied();
            let wanted = worlds.filter(|world| args.world.is_empty() || args.world.contains(world));
            wanted.map(move |world| (entry, kernel, world))
        })
    };
    let mut system = None;
    if worlds().any(|(_, _, world)| world == World::Systemd) {
        match System::get(&cache, args.offline) {
            Ok(found) => {
                println!("vm-test: systemd: {found}");
                system = Some(found);
            }
            Err(error) => {
                println!("vm-test: systemd IS MISSING: {error:#}");
                worst = Verdict::Infrastructure;
            }
        }
    }
    println!(
        "vm-test: kernels and QEMU ready after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    if args.fetch {
        return Ok(worst);
    }

    let selection = Selection::new(&args.test, &args.harness);
    let programs = Programs::build(&selection)?;
    let mut guests = Vec::new();
    for (entry, kernel, world) in worlds() {
        let privileged = catalogue.privileged(entry, world);
        let unknown = programs.unknown(&privileged);
        if !unknown.is_empty() {
            bail!("no privileged test is named {}", unknown.join(", "));
        }
        let programs = programs.of(world, &selection, &privileged);
        if programs.is_empty() || (world == World::Systemd && system.is_none()) {
            continue;
        }
        guests.push(Guest {
            qemu: &qemu,
            kernel,
            world,
            system: system.as_ref().filter(|_| world == World::Systemd),
            programs,
            expected_skips: catalogue.expected_skips(entry, world),
            cache: &cache,
        });
    }
    if guests.is_empty() {
        bail!("no kernel has that world with such tests");
    }
    matrix::write_archives(&guests, &programs)?;
    println!(
        "vm-test: programs ready after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let outcomes = matrix::run(&guests, args.jobs)?;
    for outcome in &outcomes {
        worst = worst.max(outcome.verdict());
    }
    println!("vm-test: summary");
    for outcome in &outcomes {
        println!("  {outcome}");
        for complaint in outcome.complaints() {
            println!("    {complaint}");
        }
    }
    println!("vm-test: {:.1} s in all", began.elapsed().as_secs_f64());
    if args.write_docs {
        support::write(&outcomes)?;
    }
    Ok(worst)
}

/// The kernels that are to be had. One that is not is told of, and fails the run if it is required.
fn kernels(
    args: &Args,
    catalogue: &Catalogue,
    cache: &Path,
) -> Result<(Vec<(Entry, Kernel)>, Verdict)> {
    let mut worst = Verdict::Passed;
    let mut found = Vec::new();
    for entry in catalogue.entries(&args.kernel)? {
        match Kernel::get(&entry, cache, args.offline) {
            Ok(kernel) => {
                println!(
                    "vm-test: {}: {} from {} ({})",
                    entry.name, kernel.version, kernel.suite, kernel.release
                );
                found.push((entry, kernel));
            }
            Err(error) if entry.required => {
                println!("vm-test: {} IS MISSING: {error:#}", entry.name);
                worst = Verdict::Infrastructure;
            }
            Err(error) => println!("vm-test: {} IS LEFT OUT: {error:#}", entry.name),
        }
    }
    if found.is_empty() {
        bail!("no kernel to test with");
    }
    Ok((found, worst))
}

fn world(name: &str) -> Result<World, String> {
    World::ALL
        .into_iter()
        .find(|world| world.name() == name)
        .ok_or_else(|| {
            format!(
                "{name} is none of {}",
                World::ALL.map(World::name).join(", ")
            )
        })
}
