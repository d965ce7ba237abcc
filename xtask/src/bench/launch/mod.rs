//! Containers from the command to its exit, beside crun and docker: one root file system, no network.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};

use super::agent::{Agent, MEMORY, Variant};
use super::process::Process;
use super::report::{Report, Table, mib, ms};
use super::summary::{median, percentile};
use super::{Plan, interrupt};
use crate::command;

const CONCURRENT: usize = 100;
const RUNNING: usize = 500;
/// dockerd is slow to come up and to start containers.
const DOCKER_RUNS: usize = 10;
const DOCKER_READY: Duration = Duration::from_secs(30);
/// Of a command, without a breath between them.
const BLOCK: usize = 20;
/// Before others' commands, so that what these left to be cleared away is not in their way.
const BREATH: Duration = Duration::from_millis(60);

pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let rootfs = rootfs(folder.path())?;
    let agent = Agent::start(Variant::Engine)?;
    report.heading("Launch: `true` from the command to its exit, milliseconds");
    report.line(&format!(
        "A busybox root file system, no network; commands take turns, and nothing runs for {} before each. crun \
         runs in a mount namespace without cgroup2 where the host is hybrid, which is made before the clock starts. \
         State of what runs is in memory, ours and crun's; what containers write is on the disk.",
        ms(BREATH.as_secs_f64())
    ));
    report.line("");
    let direct = PathBuf::from(format!("{}:rw", rootfs.display()));
    let own = || ours(&agent, &rootfs);
    let own_direct = || ours(&agent, &direct);
    let mut runtimes: Vec<(&str, Run<'_>)> = vec![
        ("plimsoll run", &own),
        ("plimsoll run, `--rootfs DIR:rw`", &own_direct),
    ];
    let crun = Crun::find(folder.path(), &rootfs);
    let peer = crun.as_ref().map(|crun| || crun.command());
    match &peer {
        Ok(peer) => runtimes.push(("crun run", peer)),
        Err(reason) => report.line(&format!("crun is not beside it: {reason:#}.")),
    }
    let mut times = in_turns(&runtimes, plan.launches, 1)?;
    match Docker::start(folder.path(), &rootfs) {
        Ok(docker) => times.extend(in_turns(
            &[("docker run", &|| docker.command())],
            DOCKER_RUNS,
            1,
        )?),
        Err(reason) => report.line(&format!("docker is not beside it: {reason:#}.")),
    }
    report.table(&table(&times));
    report.line("");
    report.line(&format!(
        "{BLOCK} of each, one right after the other, then {BLOCK} of the next:"
    ));
    report.line("");
    report.table(&table(&in_turns(&runtimes, plan.launches, BLOCK)?));
    concurrent(&agent, &rootfs, report)?;
    many(&agent, &rootfs, report)
}

/// A command that must succeed, in seconds.
fn timed(command: &mut Command) -> Result<f64> {
    interrupt::check()?;
    let began = Instant::now();
    let done = command
        .stdin(Stdio::null())
        .output()
        .context("cannot start it")?;
    let took = began.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "{command:?}: {}: {errors}",
        done.status
    );
    Ok(took)
}

type Run<'a> = &'a dyn Fn() -> Command;
type Times<'a> = (&'a str, Vec<f64>);

/// Some of each, then some of the next, so that all see the same machine.
fn in_turns<'a>(
    commands: &[(&'a str, Run<'_>)],
    count: usize,
    block: usize,
) -> Result<Vec<Times<'a>>> {
    let mut times: Vec<Times<'a>> = commands
        .iter()
        .map(|(name, _)| (*name, Vec::new()))
        .collect();
    // The first is another's cold caches.
    for (_, command) in commands {
        timed(&mut command())?;
    }
    for _ in 0..count.div_ceil(block) {
        for ((_, command), (_, times)) in commands.iter().zip(&mut times) {
            interrupt::sleep(BREATH)?;
            for _ in 0..block {
                times.push(timed(&mut command())?);
            }
        }
    }
    Ok(times)
}

fn table(all: &[Times<'_>]) -> Table {
    let base = all.first().and_then(|(_, times)| median(times));
    let mut table = Table::new(&[
        "command",
        "runs",
        "least",
        "median",
        "p95",
        "median to ours",
    ]);
    for (name, times) in all {
        let number = |value: Option<f64>| {
            value.map_or("–".to_owned(), |time| format!("{:.2}", time * 1e3))
        };
        let ratio = median(times).zip(base).map(|(own, base)| own / base);
        table.row(vec![
            (*name).to_owned(),
            times.len().to_string(),
            number(percentile(times, 0.0)),
            number(median(times)),
            number(percentile(times, 95.0)),
            ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    table
}

fn ours(agent: &Agent, rootfs: &Path) -> Command {
    let mut command = agent.command();
    command.args(["run", "--rm", "--network", "none", "--rootfs"]);
    command.arg(rootfs).arg("true");
    command
}

fn concurrent(agent: &Agent, rootfs: &Path, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let results: Vec<Result<f64>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..CONCURRENT)
            .map(|_| scope.spawn(|| timed(&mut ours(agent, rootfs))))
            .collect();
        let done = running.into_iter().map(|run| run.join());
        done.map(|run| run.unwrap_or_else(|_| bail!("a thread panicked")))
            .collect()
    });
    let took = began.elapsed().as_secs_f64();
    for result in results {
        result?;
    }
    report.line("");
    report.line(&format!(
        "{CONCURRENT} at once: {} in all, {} each.",
        ms(took),
        ms(took / CONCURRENT as f64)
    ));
    Ok(())
}

fn many(agent: &Agent, rootfs: &Path, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..RUNNING {
        interrupt::check()?;
        let mut run = agent.command();
        run.args(["run", "-d", "--network", "none", "--rootfs"])
            .arg(rootfs);
        ids.push(
            command::output(run.args(["sleep", "1000"]))?
                .trim()
                .to_owned(),
        );
    }
    let started = began.elapsed().as_secs_f64();
    let list = Instant::now();
    let alive = command::output(agent.command().args(["ps", "-q"]))?
        .lines()
        .count();
    let listed = list.elapsed().as_secs_f64();
    ensure!(alive >= RUNNING, "{alive} of {RUNNING} run");
    let memory = shims(&agent.process);
    let began = Instant::now();
    for few in ids.chunks(50) {
        command::output(agent.command().args(["rm", "-f"]).args(few))?;
    }
    report.line(&format!(
        "{RUNNING} running: started in {}, listed in {}, removed in {}; the agent has {}, a shim {}.",
        ms(started),
        ms(listed),
        ms(began.elapsed().as_secs_f64()),
        mib(agent.process.status_bytes("VmRSS")?),
        memory.map_or("–".to_owned(), mib),
    ));
    Ok(())
}

/// Median of resident memory of the agent's shims: children of any of its threads.
fn shims(agent: &Process) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", agent.pid())).ok()?;
    let children: String = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .collect();
    let sizes: Vec<f64> = children
        .split_whitespace()
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let size = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            size.split_whitespace().next()?.parse::<f64>().ok()
        })
        .collect();
    median(&sizes).map(|kib| kib as u64 * 1024)
}

/// Of a static busybox.
fn rootfs(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("rootfs");
    for made in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(made))?;
    }
    let busybox = command::output(Command::new("sh").args(["-c", "command -v busybox"]))
        .context("busybox is not installed: `cargo xtask setup --test`")?;
    fs::copy(busybox.trim(), root.join("bin/busybox"))?;
    for applet in ["sh", "true", "sleep"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    Ok(root)
}

/// crun with a bundle.
struct Crun {
    bundle: PathBuf,
    /// In memory, as ours.
    state: PathBuf,
    /// The mount namespace that it runs in, and the process that keeps it.
    namespace: Option<(Process, File)>,
}

impl Crun {
    fn find(folder: &Path, rootfs: &Path) -> Result<Self> {
        command::output(Command::new("crun").arg("--version"))?;
        let bundle = folder.join("bundle");
        fs::create_dir(&bundle)?;
        command::output(Command::new("crun").arg("spec").current_dir(&bundle))?;
        let path = bundle.join("config.json");
        let mut spec: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        spec["root"]["path"] = rootfs.display().to_string().into();
        spec["process"]["args"] = serde_json::json!(["true"]);
        spec["process"]["terminal"] = false.into();
        // What the host may not give is not asked for.
        spec["process"]["rlimits"] = serde_json::json!([]);
        fs::write(&path, spec.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let hybrid = mounts.contains(" /sys/fs/cgroup/unified cgroup2 ");
        let namespace = if hybrid {
            let mut holder = Command::new("unshare");
            holder.args(["--mount", "--propagation", "private", "sh", "-c"]);
            holder.arg("umount /sys/fs/cgroup/unified && exec sleep 100000");
            let holder = Process::start("a mount namespace", &mut holder, None)?;
            // Until it is unmounted in there.
            interrupt::sleep(Duration::from_millis(500))?;
            let namespace = File::open(format!("/proc/{}/ns/mnt", holder.pid()))?;
            Some((holder, namespace))
        } else {
            None
        };
        let state = Path::new(MEMORY).join(format!("plimsoll-bench-crun-{}", std::process::id()));
        let crun = Self {
            bundle,
            state,
            namespace,
        };
        timed(&mut crun.command())?;
        Ok(crun)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("crun");
        if let Some((_, namespace)) = &self.namespace {
            let namespace = namespace.as_raw_fd();
            let enter = move || {
                // SAFETY: `self` keeps it open as long as the command is used.
                let namespace = unsafe { BorrowedFd::borrow_raw(namespace) };
                Ok(setns(namespace, CloneFlags::CLONE_NEWNS)?)
            };
            // SAFETY: one system call, no memory is allocated.
            unsafe { command.pre_exec(enter) };
        }
        let id = format!("plimsoll-bench-{}", std::process::id());
        command.arg("--root").arg(&self.state);
        command.args(["run", "--bundle"]).arg(&self.bundle).arg(id);
        command
    }
}

impl Drop for Crun {
    fn drop(&mut self) {
        // There is none where crun did not run.
        let _ = fs::remove_dir_all(&self.state);
    }
}

/// A dockerd of its own, with the root file system as an image.
struct Docker {
    socket: PathBuf,
    _daemon: Process,
}

impl Docker {
    fn start(folder: &Path, rootfs: &Path) -> Result<Self> {
        let socket = folder.join("docker.sock");
        let own = |name: &str| folder.join("docker").join(name);
        let mut daemon = Command::new("dockerd");
        daemon
            // Without it, 20.10 asks for a pivot_root that an initial ramdisk as root refuses.
            .env("DOCKER_RAMDISK", "true")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--ip-masq=false", "--ip-forward=false"])
            .arg(format!("--host=unix://{}", socket.display()))
            .arg("--data-root")
            .arg(own("data"))
            .arg("--exec-root")
            .arg(own("exec"))
            .arg("--pidfile")
            .arg(own("pid"));
        fs::create_dir(folder.join("docker"))?;
        let process = Process::start("dockerd", &mut daemon, None)?;
        let docker = Self {
            socket,
            _daemon: process,
        };
        interrupt::poll("dockerd", DOCKER_READY, || {
            let version = docker.cli().arg("version").output();
            version
                .is_ok_and(|version| version.status.success())
                .then_some(())
        })?;
        let archive = folder.join("rootfs.tar");
        command::output(
            Command::new("tar")
                .arg("-C")
                .arg(rootfs)
                .arg("-cf")
                .arg(&archive)
                .arg("."),
        )?;
        command::output(docker.cli().arg("import").arg(&archive).arg("bench:1"))?;
        Ok(docker)
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("docker");
        command.env_remove("DOCKER_CONTEXT");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command
    }

    fn command(&self) -> Command {
        let mut command = self.cli();
        command.args(["run", "--rm", "--network", "none", "bench:1", "true"]);
        command
    }
}
