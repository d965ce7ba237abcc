//! Others that watch hosts, as Debian has them, on the same cgroups in the same run.
//!
//! None does the same: the node exporter reads the host and no cgroup, and does its work when asked;
//! netdata reads cgroups once a second too, but keeps a history, draws charts and watches much else.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::agent::{Agent, Variant};
use super::cgroups::Cgroups;
use super::process::{Process, Tree};
use super::report::{Report, Table, mib, ms, percent};
use super::summary::percentile;
use super::{Plan, http, interrupt, present, scale};
use crate::{host, setup};

const READY: Duration = Duration::from_secs(60);
/// netdata looks for new cgroups every 10 s, and is busy with its start before.
const NETDATA_SETTLE: Duration = Duration::from_secs(60);

/// Peers that are installed.
pub(crate) struct Found {
    node_exporter: Option<PathBuf>,
    netdata: Option<PathBuf>,
}

impl Found {
    /// Installs those that are missing, where Debian has them.
    pub(crate) fn prepare() -> Self {
        if let Err(error) = setup::for_bench() {
            println!("bench: going on without some of the peers: {error:#}");
        }
        Self {
            node_exporter: host::program("prometheus-node-exporter"),
            netdata: host::program("netdata"),
        }
    }
}

/// One that runs, with a folder of its own that goes with it.
struct Peer {
    process: Process,
    address: SocketAddr,
    folder: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn measure(
    plan: &Plan,
    report: &mut Report,
    cgroups: &Cgroups,
    found: &Found,
) -> Result<()> {
    report.heading("Peers");
    report.line(&format!(
        "Each alone with {} active cgroups as above; CPU with all child processes over {} s without scrapes. \
         Not the same work: the node exporter reads the host and no cgroup, and only when asked; netdata reads \
         cgroups once a second as the agent does, but no network and no life-cycle per cgroup, and keeps a history, \
         charts, alarms and much of the host besides. So: scrape cost and memory stand beside the node exporter's; \
         CPU at 1 Hz beside netdata's, as an order of magnitude.",
        plan.most(),
        plan.window.as_secs()
    ));
    report.line("");
    let sleepers = scale::populate(cgroups, plan.most())?;
    let mut table = Table::new(&[
        "program",
        "CPU at 1 Hz",
        "scrape p50",
        "p99",
        "size",
        "CPU/scrape",
        "RSS",
    ]);
    println!("bench: peers: plimsoll");
    let agent = Agent::start(Variant::Default)?;
    interrupt::sleep(plan.settle)?;
    table.row(row("plimsoll", plan, &agent.process, || agent.scrape())?);
    drop(agent);
    if let Some(program) = &found.node_exporter {
        println!("bench: peers: prometheus-node-exporter");
        let peer = node_exporter(program)?;
        interrupt::sleep(plan.settle)?;
        let scrape = || http::get(peer.address, "/metrics");
        table.row(row(
            "prometheus-node-exporter",
            plan,
            &peer.process,
            scrape,
        )?);
    }
    if let Some(program) = &found.netdata {
        println!("bench: peers: netdata");
        let peer = netdata(program, cgroups)?;
        interrupt::sleep(NETDATA_SETTLE)?;
        let scrape = || http::get(peer.address, "/api/v1/allmetrics?format=prometheus");
        let seen = scrape()?.body.matches("plimsoll-bench-").count();
        println!("bench: peers: netdata exports {seen} samples of the bench's cgroups");
        table.row(row("netdata", plan, &peer.process, scrape)?);
    }
    drop(sleepers);
    report.table(&table);
    for (name, absent) in [
        ("prometheus-node-exporter", found.node_exporter.is_none()),
        ("netdata", found.netdata.is_none()),
    ] {
        if absent {
            report.line("");
            report.line(&format!("{name} is not installed: not measured."));
        }
    }
    Ok(())
}

fn row(
    name: &str,
    plan: &Plan,
    process: &Process,
    scrape: impl Fn() -> Result<http::Answer>,
) -> Result<Vec<String>> {
    let tree = Tree::of(process);
    let cores = tree.cores_during(plan.window)?;
    let (mut seconds, mut bytes) = (Vec::new(), 0);
    let (began, before) = (std::time::Instant::now(), tree.cpu());
    for _ in 0..plan.scrapes {
        interrupt::check()?;
        let answer = scrape()?;
        seconds.push(answer.took.as_secs_f64());
        bytes = answer.body.len();
    }
    let used = tree.cpu().saturating_sub(before).as_secs_f64();
    let at_rest = cores * began.elapsed().as_secs_f64();
    let at = |percent| present(percentile(&seconds, percent), "scrape");
    Ok(vec![
        name.to_owned(),
        percent(cores),
        ms(at(50.0)?),
        ms(at(99.0)?),
        mib(bytes as u64),
        ms((used - at_rest).max(0.0) / plan.scrapes as f64),
        mib(tree.status_bytes("VmRSS")),
    ])
}

fn folder(name: &str) -> Result<PathBuf> {
    let name = format!("plimsoll-bench-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// With Debian's default collectors.
fn node_exporter(program: &Path) -> Result<Peer> {
    let address = http::free_address()?;
    let folder = folder("node-exporter")?;
    let log = File::create(folder.join("log")).context("cannot make a log")?;
    let mut command = Command::new(program);
    command.arg(format!("--web.listen-address={address}"));
    let process = Process::start("prometheus-node-exporter", &mut command, Some(&log))?;
    let peer = Peer {
        process,
        address,
        folder,
    };
    interrupt::poll("the node exporter", READY, || {
        http::get(address, "/metrics").ok()
    })?;
    Ok(peer)
}

/// With its defaults, except: own folders, loopback only, no telemetry; all cgroups, by v1's files
/// where there are any (v2's have no controller on such a host), without the scripts that ask
/// engines for each cgroup's name and interfaces.
fn netdata(program: &Path, cgroups: &Cgroups) -> Result<Peer> {
    let address = http::free_address()?;
    let folder = folder("netdata")?;
    for part in ["etc", "cache", "lib", "log"] {
        fs::create_dir(folder.join(part)).context("cannot make netdata's folders")?;
    }
    let at = folder.display();
    let config = format!(
        "[global]\nrun as user = root\n\
         [directories]\nconfig = {at}/etc\ncache = {at}/cache\nlib = {at}/lib\nlog = {at}/log\n\
         [web]\nbind to = 127.0.0.1\ndefault port = {}\n\
         [registry]\nenabled = no\n[cloud]\nenabled = no\n[statsd]\nenabled = no\n\
         [plugin:cgroups]\nmax cgroups to allow = 5000\nenable by default cgroups matching = *\n\
         search for cgroups in subpaths matching = *\nuse unified cgroups = {}\n\
         run script to rename cgroups matching = !*\nscript to get cgroup network interfaces = /bin/true\n",
        address.port(),
        if cgroups.v1("memory").is_some() {
            "no"
        } else {
            "auto"
        }
    );
    let config_file = folder.join("etc/netdata.conf");
    fs::write(&config_file, config).context("cannot write netdata's configuration")?;
    // The file that turns anonymous statistics off.
    fs::write(folder.join("etc/.opt-out-from-anonymous-statistics"), "")
        .context("cannot write netdata's configuration")?;
    let log = File::create(folder.join("log/out")).context("cannot make a log")?;
    let mut command = Command::new(program);
    command
        .args(["-D", "-c"])
        .arg(&config_file)
        .arg("-P")
        .arg(folder.join("pid"))
        .env("DISABLE_TELEMETRY", "1")
        .env("DO_NOT_TRACK", "1");
    let process = Process::start("netdata", &mut command, Some(&log))?;
    let peer = Peer {
        process,
        address,
        folder,
    };
    interrupt::poll("netdata", READY, || http::get(address, "/api/v1/info").ok())?;
    Ok(peer)
}
