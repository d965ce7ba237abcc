//! Loads, each in a process of its own that ends with the bench: it does one kind of operation for
//! some time, in batches, and prints what an operation took in the median batch, in nanoseconds.
//! A batch is too short to be interrupted often, so other work on the machine does not tell much.

mod calls;
mod cgroups;
mod packets;
mod sleepers;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

pub(crate) use self::sleepers::Sleepers;
use super::summary::median;

/// Operations between two looks at the clock, of those that take a microsecond or so.
const BATCH: u32 = 64;

#[derive(clap::Args)]
pub(crate) struct Args {
    kind: Kind,
    /// How long, in milliseconds; of sleepers: how many
    amount: u64,
    /// A cgroup or folder to work in
    #[arg(default_value = ".")]
    place: PathBuf,
}

/// What a load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// `getppid`: the cheapest system call
    Calls,
    /// A byte to and fro between two processes on one CPU; an operation is one switch
    Switches,
    /// The other end of `switches`
    Echo,
    /// UDP datagrams of 64 bytes over loopback; an operation is one sent and received
    SmallPackets,
    /// UDP datagrams of 32 KiB over loopback
    LargePackets,
    /// fork, exec, exit, wait
    Processes,
    /// Make a cgroup (v2), move into it and back, freeze it, remove it
    Cgroups,
    /// Rename a v1 cgroup
    Renames,
    /// Make a UTS namespace, enter the old one again
    Namespaces,
    /// Reads of 4 KiB past the page cache
    Reads,
    /// Processes that wake up five times a second; prints their pids
    Sleepers,
    /// Waits for a line, then takes 64 MiB, for the OOM killer to see
    Eater,
}

/// The load's own process.
pub(crate) fn run(args: &Args) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot tie the load to the bench")?;
    let place = args.place.as_path();
    let operation_ns = match args.kind {
        Kind::Calls => calls::calls(args),
        Kind::Switches => calls::switches(args),
        Kind::Echo => return calls::echo(),
        Kind::SmallPackets => packets::datagrams(args, 64),
        Kind::LargePackets => packets::datagrams(args, 32 << 10),
        Kind::Processes => calls::processes(args),
        Kind::Cgroups => cgroups::lives(args, place),
        Kind::Renames => cgroups::renames(args, place),
        Kind::Namespaces => calls::namespaces(args),
        Kind::Reads => calls::reads(args, place),
        Kind::Sleepers => return sleepers::run(args.amount),
        Kind::Eater => return calls::eat(),
    }?;
    println!("{operation_ns}");
    Ok(())
}

/// Runs a load to its end: nanoseconds for one operation.
pub(crate) fn measure(kind: Kind, duration: Duration, place: &Path) -> Result<f64> {
    let mut child = spawn(kind, duration.as_millis() as u64, place)?;
    let mut printed = String::new();
    if let Some(output) = child.stdout.as_mut() {
        // An interruption ends the load too, for it is in this process's group.
        output.read_to_string(&mut printed).context("no output")?;
    }
    let status = child.wait().context("cannot wait for a load")?;
    super::interrupt::check()?;
    match printed.trim().parse() {
        Ok(operation_ns) if status.success() => Ok(operation_ns),
        _ => bail!("load {kind:?} failed: {status}"),
    }
}

/// Starts this program as a load.
fn spawn(kind: Kind, amount: u64, place: &Path) -> Result<Child> {
    let name = clap::ValueEnum::to_possible_value(&kind).context("a load without a name")?;
    Command::new(std::env::current_exe().context("cannot find this program")?)
        .args(["bench-load", name.get_name(), &amount.to_string()])
        .arg(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start load {kind:?}"))
}

/// Has the OOM killer end `times` processes in the cgroup `place`, whose limit is far below what
/// they take.
pub(crate) fn oom(place: &Path, times: usize) -> Result<()> {
    for _ in 0..times {
        let mut child = spawn(Kind::Eater, 0, Path::new("."))?;
        std::fs::write(place.join("cgroup.procs"), child.id().to_string())
            .with_context(|| format!("cannot move a process to {}", place.display()))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(b"go\n").context("cannot start the eater")?;
        }
        let status = child.wait().context("cannot wait for the eater")?;
        super::interrupt::check()?;
        if status.success() {
            bail!("the OOM killer did not come to {}", place.display());
        }
    }
    Ok(())
}

/// Does `operation` for the load's time: nanoseconds an operation in the median batch.
fn repeat(args: &Args, batch: u32, mut operation: impl FnMut() -> Result<()>) -> Result<f64> {
    let end = Instant::now() + Duration::from_millis(args.amount);
    let mut batches = Vec::new();
    loop {
        let began = Instant::now();
        for _ in 0..batch {
            operation()?;
        }
        let now = Instant::now();
        batches.push((now - began).as_nanos() as f64 / f64::from(batch));
        if now >= end {
            return median(&batches).context("no batch");
        }
    }
}

/// Ties a process to the last CPU, which has the fewest interrupts on most machines.
fn pin(pid: Pid) -> Result<()> {
    let cpus = std::thread::available_parallelism().context("how many CPUs?")?;
    let mut set = CpuSet::new();
    set.set(cpus.get() - 1).context("cannot name a CPU")?;
    sched_setaffinity(pid, &set).context("cannot pin a load")
}

/// Lines that a child prints.
fn lines(child: &mut Child) -> impl Iterator<Item = std::io::Result<String>> + '_ {
    child
        .stdout
        .as_mut()
        .into_iter()
        .flat_map(|output| BufReader::new(output).lines())
}
