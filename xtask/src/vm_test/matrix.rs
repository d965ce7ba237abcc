//! The guests of a run: one kernel in one world each, some at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::kernel::Kernel;
use super::machine::Machine;
use super::outcome::{Outcome, Verdict};
use super::programs::Programs;
use super::protocol::{Program, World};
use super::qemu::Qemu;
use super::system::System;
use super::{disk, initramfs};

/// From power-on to the first test, on a busy host.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);

/// More failures than this in one guest are no accident.
const MOST_AGAIN: usize = 4;

/// One kernel in one world.
pub(super) struct Guest<'a> {
    pub(super) qemu: &'a Qemu,
    pub(super) kernel: &'a Kernel,
    pub(super) world: World,
    /// Of [`World::Systemd`] alone.
    pub(super) system: Option<&'a System>,
    pub(super) programs: Vec<Program>,
    pub(super) expected_skips: Vec<&'a str>,
    pub(super) cache: &'a Path,
}

/// Writes what guests of a kind boot with, for the kinds that there are.
pub(super) fn write_archives(guests: &[Guest], programs: &Programs) -> Result<()> {
    if let Some(guest) = guests.iter().find(|guest| guest.system.is_some()) {
        programs.archive_for_system(&guest.archive())?;
    }
    if let Some(guest) = guests.iter().find(|guest| guest.system.is_none()) {
        programs.archive(&guest.archive())?;
    }
    Ok(())
}

/// What came of every guest, in their order; `jobs` of them run at once.
pub(super) fn run(guests: &[Guest], jobs: usize) -> Result<Vec<Outcome>> {
    // Those that take longest begin first.
    let mut order: Vec<usize> = (0..guests.len()).collect();
    order.sort_by_key(|n| guests[*n].system.is_none());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(n) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*n, guests[*n].outcome()));
        }
        done
    };
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.collect::<Result<Vec<_>, _>>()
    })
    .map_err(|_| anyhow!("a guest's thread panicked"))?
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    outcomes.sort_by_key(|(n, _)| *n);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

impl Guest<'_> {
    /// Boots it, a second time if it never came so far as to run a test, or for the few tests that
    /// failed: they measure, and the host of the guest may have been busy.
    fn outcome(&self) -> Result<Outcome> {
        let mut first = self.boot(&self.programs)?;
        if first.verdict() == Verdict::Infrastructure {
            for complaint in first.complaints() {
                println!("vm-test: {complaint}: once more");
            }
            return self.boot(&self.programs);
        }
        let failed = first.failed_tests();
        if !(1..=MOST_AGAIN).contains(&failed.len()) || first.ended_early() {
            return Ok(first);
        }
        println!("vm-test: those that failed, again and alone");
        let programs = self.programs.iter();
        let programs: Vec<_> = programs.filter_map(|one| one.only(&failed)).collect();
        first.settle(self.boot(&programs)?);
        Ok(first)
    }

    fn boot(&self, programs: &[Program]) -> Result<Outcome> {
        let label = format!("{} {}", self.kernel.series, self.world.name());
        let tests: u64 = programs.iter().map(|test| test.timeout_s).sum();
        let machine = Machine {
            qemu: self.qemu,
            world: self.world,
            image: self.kernel.image(),
            initramfs: self.file("cpio"),
            disk: self.file("disk"),
            system: self.system.map(|system| system.image.clone()),
            log: self.file("log"),
            reports: self.file("reports"),
            boot_timeout: BOOT_TIMEOUT,
            timeout: BOOT_TIMEOUT + Duration::from_secs(tests),
            label,
        };
        initramfs::write(
            &machine.initramfs,
            self.kernel,
            self.world,
            programs,
            &self.archive(),
        )?;
        disk::make(&machine.disk)?;
        let boot = machine.boot()?;
        for file in [&machine.initramfs, &machine.disk] {
            fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        let tail = boot.tail.clone();
        let outcome = Outcome::of(
            self.kernel.clone(),
            self.world,
            self.system.map(ToString::to_string),
            boot,
            &self.expected_skips,
        );
        if outcome.verdict() != Verdict::Passed {
            println!("vm-test: end of {}:", machine.log.display());
            for line in tail {
                println!("    {line}");
            }
        }
        Ok(outcome)
    }

    /// What all guests of its kind boot with, below the cache.
    fn archive(&self) -> PathBuf {
        self.cache.join(match self.system {
            Some(_) => "system.cpio",
            None => "common.cpio",
        })
    }

    fn file(&self, kind: &str) -> PathBuf {
        let name = format!("{}-{}.{kind}", self.kernel.series, self.world.name());
        self.cache.join("logs").join(name)
    }
}
