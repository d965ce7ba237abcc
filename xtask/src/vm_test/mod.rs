//! `cargo xtask vm-test`: the agent and its tests on stock Debian kernels, in QEMU.
//!
//! Kernels come from Debian's packages (unpacked, never installed), the guest's system is an
//! initramfs with this very xtask as its init, and the tests are those that `cargo test` builds.
//! Everything is kept below `target/vm`. Exit status: 1 when tests failed, 2 when it could not
//! be found out.

mod catalogue;
mod console;
mod cpio;
mod debian;
mod disk;
pub(crate) mod guest;
mod harness;
mod initramfs;
mod kernel;
mod machine;
mod modules;
mod outcome;
mod programs;
mod protocol;
mod qemu;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::catalogue::{Catalogue, Entry};
use self::kernel::Kernel;
use self::machine::Machine;
use self::outcome::{Outcome, Verdict};
use self::programs::Programs;
use self::protocol::World;
use self::qemu::Qemu;
use crate::{host, setup, workspace};

/// Kernels, indexes, logs; below the workspace's root.
const CACHE: &str = "target/vm";
/// From power-on to the first test, on a busy host.
const BOOT_TIMEOUT: Duration = Duration::from_secs(90);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernels of xtask/kernels.toml, or any series that backports has [default: all of the file]
    #[arg(long, value_delimiter = ',', value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Only these cgroup set-ups: v2, hybrid, v1
    #[arg(long, value_delimiter = ',', value_parser = world, value_name = "WORLD")]
    world: Vec<World>,
    /// Only these test programs
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
    /// Only tests whose name contains this; further arguments of the test harness
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
    println!(
        "vm-test: kernels and QEMU ready after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    if args.fetch {
        return Ok(worst);
    }

    let programs = Programs::build(&args.test, &args.harness)?;
    let common = cache.join("common.cpio");
    programs.archive(&common)?;
    println!(
        "vm-test: programs ready after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let mut guests = Vec::new();
    for (entry, kernel) in &kernels {
        for world in &entry.worlds {
            if args.world.is_empty() || args.world.contains(world) {
                guests.push(Guest {
                    qemu: &qemu,
                    kernel,
                    world: *world,
                    expected_skips: catalogue.expected_skips(entry, *world),
                    cache: &cache,
                });
            }
        }
    }
    let outcomes = all(&guests, args.jobs, &programs, &common)?;
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
    if outcomes.is_empty() {
        anyhow::bail!("no kernel has that world");
    }
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
        anyhow::bail!("no kernel to test with");
    }
    Ok((found, worst))
}

/// What came of every guest, in their order; `jobs` of them run at once.
fn all(guests: &[Guest], jobs: usize, programs: &Programs, common: &Path) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            match guests.get(n) {
                Some(guest) => done.push((n, guest.outcome(programs, common))),
                None => return done,
            }
        }
    };
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.collect::<Result<Vec<_>, _>>()
    })
    .map_err(|_| anyhow::anyhow!("a guest's thread panicked"))?
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    outcomes.sort_by_key(|(n, _)| *n);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// One kernel in one world.
struct Guest<'a> {
    qemu: &'a Qemu,
    kernel: &'a Kernel,
    world: World,
    expected_skips: Vec<&'a str>,
    cache: &'a Path,
}

impl Guest<'_> {
    /// Boots it, a second time if it never came so far as to run a test. A failed test is final.
    fn outcome(&self, programs: &Programs, common: &Path) -> Result<Outcome> {
        let first = self.boot(programs, common)?;
        if first.verdict() != Verdict::Infrastructure {
            return Ok(first);
        }
        for complaint in first.complaints() {
            println!("vm-test: {complaint}: once more");
        }
        self.boot(programs, common)
    }

    fn boot(&self, programs: &Programs, common: &Path) -> Result<Outcome> {
        let label = format!("{} {}", self.kernel.series, self.world.name());
        let tests: u64 = programs.tests.iter().map(|test| test.timeout_s).sum();
        let machine = Machine {
            qemu: self.qemu,
            world: self.world,
            image: self.kernel.image(),
            initramfs: self.file("cpio"),
            disk: self.file("disk"),
            log: self.file("log"),
            reports: self.file("reports"),
            timeout: BOOT_TIMEOUT + Duration::from_secs(tests),
            label,
        };
        initramfs::write(
            &machine.initramfs,
            self.kernel,
            self.world,
            &programs.tests,
            common,
        )?;
        disk::make(&machine.disk)?;
        let boot = machine.boot()?;
        for file in [&machine.initramfs, &machine.disk] {
            fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        let tail = boot.tail.clone();
        let outcome = Outcome::of(self.kernel.clone(), self.world, boot, &self.expected_skips);
        if outcome.verdict() != Verdict::Passed {
            println!("vm-test: end of {}:", machine.log.display());
            for line in tail {
                println!("    {line}");
            }
        }
        Ok(outcome)
    }

    fn file(&self, kind: &str) -> PathBuf {
        let name = format!("{}-{}.{kind}", self.kernel.series, self.world.name());
        self.cache.join("logs").join(name)
    }
}

fn world(name: &str) -> Result<World, String> {
    [World::V2, World::Hybrid, World::V1]
        .into_iter()
        .find(|world| world.name() == name)
        .ok_or_else(|| format!("{name} is none of v2, hybrid, v1"))
}
