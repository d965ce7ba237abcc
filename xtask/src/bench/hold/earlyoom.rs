//! earlyoom, which watches the memory of the whole host. It runs dry: what it would do is told, and
//! nobody is killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::{Plan, interrupt};
use crate::setup;

/// How far the threshold is below what is available, and what a hog then takes.
const BELOW_KIB: u64 = 128 << 10;
const HOG: &str = "my $x = 'x' x (512 << 20); sleep 1000";
/// How long the hog may take.
const FALL: Duration = Duration::from_secs(2);
const TOO_LONG: Duration = Duration::from_secs(10);

/// Seconds from the threshold to the decision, of each run.
pub(super) fn reactions(plan: &Plan) -> Result<Vec<f64>> {
    let program = setup::unpacked("earlyoom", "usr/bin/earlyoom")?;
    println!("bench: hold: earlyoom");
    let mut taken = Vec::new();
    for _ in 0..plan.reactions {
        interrupt::check()?;
        let threshold = available_kib()? - BELOW_KIB;
        let limits = format!("{threshold},{}", threshold / 2);
        let mut command = Command::new(&program);
        command
            .args(["--dryrun", "-r", "0", "-s", "100,100", "-M", &limits])
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut watcher = Ended(command.spawn().context("cannot start earlyoom")?);
        let told = lines(&mut watcher.0)?;
        // Its first look.
        interrupt::sleep(Duration::from_millis(300))?;
        let mut hog = Command::new("perl");
        let hog = Ended(
            hog.args(["-e", HOG])
                .spawn()
                .context("cannot start a hog")?,
        );
        let Some(over) = fallen_below(threshold)? else {
            // Somebody else gave back as much as the hog took: no run.
            continue;
        };
        let at = decided(&told, over + TOO_LONG)?;
        drop(hog);
        drop(watcher);
        // Somebody else's memory made it decide before: no run.
        if let Some(after) = at.checked_duration_since(over) {
            taken.push(after.as_secs_f64());
        }
    }
    if taken.is_empty() {
        bail!("other memory than the hog's came and went in every run");
    }
    Ok(taken)
}

/// When that is; `None`: it does not happen.
fn fallen_below(threshold_kib: u64) -> Result<Option<Instant>> {
    let began = Instant::now();
    while began.elapsed() < FALL {
        if available_kib()? < threshold_kib {
            return Ok(Some(Instant::now()));
        }
    }
    Ok(None)
}

/// Killed and waited for on drop.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Fails for what has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it says, each line with its moment.
fn lines(child: &mut Child) -> Result<Receiver<(Instant, String)>> {
    let output = child.stderr.take().context("no standard error")?;
    let (send, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Who listens has heard enough.
            if send.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

fn decided(told: &Receiver<(Instant, String)>, deadline: Instant) -> Result<Instant> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (at, line) = told
            .recv_timeout(left)
            .context("earlyoom did not decide in time")?;
        if line.contains("low memory") {
            return Ok(at);
        }
    }
}

fn available_kib() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("no memory figures")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.context("MemAvailable is not told")
}
