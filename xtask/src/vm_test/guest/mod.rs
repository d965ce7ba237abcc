//! The other end: this xtask as `/init` of a guest.
//!
//! Process 1 sets the system up, collects the dead, and powers off at the end; a child of its
//! carries out the plan and reports over the second serial port.

mod mounts;
mod runner;
mod system;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::programs::BUSYBOX;
use super::protocol::{Message, PLAN, Plan, World};

const INIT: &str = "/init";
/// The first serial port is the console.
const REPORTS: &str = "/dev/ttyS1";

/// Whether this process runs in a guest of ours.
pub(crate) fn is_here() -> bool {
    std::env::args_os().next().is_some_and(|name| name == INIT) && Path::new(PLAN).exists()
}

pub(crate) fn run() -> ExitCode {
    if std::process::id() == 1 {
        init();
    }
    let carried_out = carry_out();
    if let Err(error) = &carried_out {
        println!("guest: {error:#}");
        // The console has it, when even this cannot be said.
        let _ = report(&Message::Broken {
            why: format!("{error:#}"),
        });
    }
    if plan().is_ok_and(|plan| plan.world == World::Systemd) {
        // Twice forced: nothing is left to be put in order.
        let _ = Command::new("systemctl")
            .args(["poweroff", "--force", "--force"])
            .status();
    }
    match carried_out {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Process 1: never returns.
fn init() -> ! {
    if let Err(error) = mounts::root().and_then(|()| mounts::api()) {
        println!("guest: {error:#}");
    }
    if let Err(error) = set_up() {
        // The console has it, when even this cannot be said.
        let _ = report(&Message::Broken {
            why: format!("{error:#}"),
        });
        power_off();
    }
    match Command::new(INIT).arg("run").spawn() {
        Ok(child) => collect_until(Pid::from_raw(child.id().cast_signed())),
        Err(error) => println!("guest: cannot start the runner: {error}"),
    }
    power_off()
}

/// Never returns where a system of its own takes over.
fn set_up() -> Result<()> {
    let plan = plan()?;
    // Applets that programs may ask for.
    let _ = Command::new(BUSYBOX)
        .args(["--install", "-s", "/bin"])
        .status();
    for module in &plan.modules {
        busybox(&["insmod", module])?;
    }
    if plan.world == World::Systemd {
        match system::start()? {}
    }
    mounts::cgroups(plan.world)?;
    busybox(&["hostname", "guest"])?;
    busybox(&["ip", "link", "set", "lo", "up"])
}

fn power_off() -> ! {
    loop {
        // `-f`: there is no other init to ask.
        let _ = Command::new(BUSYBOX).args(["poweroff", "-f"]).status();
    }
}

/// Waits for every orphan there is, until `child` has ended.
fn collect_until(child: Pid) {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(ended, _) | WaitStatus::Signaled(ended, _, _))
                if ended == child =>
            {
                return;
            }
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => {
                println!("guest: cannot wait: {error}");
                return;
            }
        }
    }
}

fn plan() -> Result<Plan> {
    let plan = fs::read(PLAN).context("no plan")?;
    serde_json::from_slice(&plan).context("the plan is wrong")
}

fn carry_out() -> Result<()> {
    let plan = plan()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    report(&Message::Up {
        release: release.trim().to_owned(),
        seconds: uptime(),
    })?;
    for program in &plan.programs {
        runner::run(program)?;
    }
    report(&Message::Done { seconds: uptime() })
}

/// Says it to whoever started the guest.
fn report(message: &Message) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut port = OpenOptions::new()
        .write(true)
        .open(REPORTS)
        .context("no port to report to")?;
    port.write_all(&line).context("cannot report")
}

fn busybox(arguments: &[&str]) -> Result<()> {
    let output = Command::new(BUSYBOX)
        .args(arguments)
        .output()
        .context("no busybox")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("{}: {}", arguments.join(" "), told.trim());
    }
    Ok(())
}

/// Seconds since the guest's kernel started.
fn uptime() -> f64 {
    fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
