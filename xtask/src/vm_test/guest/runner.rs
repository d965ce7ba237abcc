//! One test program: run, watched, reported line by line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::harness::Lines;
use super::super::protocol::{Message, OUTBOX, OUTBOX_VARIABLE, Program, TestOutcome};
use super::report;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LOOK: Duration = Duration::from_millis(100);
/// A process that outlives the program may keep its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs it, and hands over what it left in the outbox.
pub(super) fn run(program: &Program) -> Result<()> {
    println!("guest: running {}", program.name);
    let began = Instant::now();
    let mut child = Command::new(&program.path)
        .args(&program.arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("RUST_BACKTRACE", "1")
        .env(OUTBOX_VARIABLE, OUTBOX)
        .env("PLIMSOLL_SKIPS", format!("{OUTBOX}/skips"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", program.path))?;
    let lines = read_lines(&mut child)?;
    let mut harness = Lines::default();
    let deadline = began + Duration::from_secs(program.timeout_s);
    let ended = watch(&mut child, &lines, deadline, |line| {
        println!("{:>5.1} {line}", began.elapsed().as_secs_f64());
        if let Some((name, outcome)) = harness.read(line) {
            report(&test(program, &name, outcome))?;
        }
        Ok(())
    })?;
    // What it started and left running, such as an agent.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    if let Some(name) = harness.unfinished() {
        report(&test(program, &name, TestOutcome::Unfinished))?;
    }
    report(&Message::Ended {
        program: program.name.clone(),
        passed: ended.is_some_and(|status| status.success()),
        status: match ended {
            Some(status) => status.to_string(),
            None => format!("not done after {} s", program.timeout_s),
        },
        seconds: began.elapsed().as_secs_f64(),
    })?;
    hand_over()
}

fn test(program: &Program, name: &str, outcome: TestOutcome) -> Message {
    Message::Test {
        program: program.name.clone(),
        name: name.to_owned(),
        outcome,
    }
}

/// A thread that reads the program's output, which has no time-outs.
fn read_lines(child: &mut Child) -> Result<Receiver<String>> {
    let output = child.stdout.take().context("no output to read")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(lines)
}

/// Passes on every line until the program ends; `None` when it had to be ended.
fn watch(
    child: &mut Child,
    lines: &Receiver<String>,
    deadline: Instant,
    mut each: impl FnMut(&str) -> Result<()>,
) -> Result<Option<ExitStatus>> {
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => each(&line)?,
            Err(RecvTimeoutError::Disconnected) if ended.is_none() => std::thread::sleep(LOOK),
            Err(_) => {}
        }
        if ended.is_none() {
            ended = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        let now = Instant::now();
        match ended {
            Some((status, at)) if now > at + LAST_WORDS => return Ok(Some(status)),
            None if now > deadline => break,
            _ => {}
        }
    }
    tell_of_processes();
    // It may be gone in this very moment.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
    while let Ok(line) = lines.recv_timeout(LOOK) {
        each(&line)?;
    }
    Ok(None)
}

/// Shows on the console what hangs, and where in the kernel.
fn tell_of_processes() {
    let processes = fs::read_dir("/proc").into_iter().flatten();
    for process in processes.filter_map(Result::ok) {
        let read = |file: &str| fs::read_to_string(process.path().join(file));
        let (Ok(command), Ok(stat), Ok(stack)) = (read("cmdline"), read("stat"), read("stack"))
        else {
            continue;
        };
        let state = stat.rsplit(") ").next().unwrap_or_default();
        let command = command.replace('\0', " ");
        if !command.is_empty() {
            println!("guest: {command}: {}", state.get(..1).unwrap_or_default());
            print!("{stack}");
        }
    }
}

/// Reports the outbox's files and empties it.
fn hand_over() -> Result<()> {
    for entry in fs::read_dir(OUTBOX).context("no outbox")? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        report(&Message::File {
            name: name.unwrap_or_default(),
            text,
        })?;
        fs::remove_file(path)?;
    }
    Ok(())
}
