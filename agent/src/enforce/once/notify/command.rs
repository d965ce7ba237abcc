//! Running a command of the operator's.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, setsid};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::notification::Notification;
use crate::enforce::once::process::Process;

/// Kept of what it prints: the end.
const OUTPUT: usize = 4 * 1024;
/// The only one it gets besides `PLIMSOLL_*`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// After its end, or its killing, what is left in the pipe is read.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// Runs program and arguments with `body` on standard input: a sentence about its end, with the end
/// of its output. After `limit` it is killed; what it left running in its session's group is, too.
pub(super) async fn run(
    line: &[String],
    told: &Notification,
    body: &[u8],
    limit: Duration,
) -> Result<String, String> {
    let [program, arguments @ ..] = line else {
        return Err("command: no program is given".to_owned());
    };
    let failed = |what: String| format!("command {program}: {what}");
    let started = start(program, arguments, told).map_err(|error| failed(error.to_string()))?;
    let Started {
        mut group,
        mut child,
        process,
        stdin,
        output,
    } = started;

    let mut tail = Vec::new();
    let ended = {
        let running = async {
            let fed = feed(stdin, body);
            let read = keep_tail(&output, &mut tail);
            // It stays a zombie until it is waited for: its number is still that of its group.
            let ended = process.ended();
            tokio::pin!(fed, read, ended);
            let (mut fed_done, mut read_done) = (false, false);
            loop {
                tokio::select! {
                    () = &mut ended => return,
                    () = &mut fed, if !fed_done => fed_done = true,
                    () = &mut read, if !read_done => read_done = true,
                }
            }
        };
        timeout(limit, running).await
    };
    group.end();
    let status = child.wait().await;
    // Whoever left the group may hold the pipe for ever.
    let _ = timeout(LAST_OUTPUT, keep_tail(&output, &mut tail)).await;
    let output = printed(&tail);
    match (ended, status) {
        (Ok(()), Ok(status)) if status.success() => Ok(format!("command {program} ended{output}")),
        (Ok(()), Ok(status)) => Err(failed(format!("{status}{output}"))),
        (Ok(()), Err(error)) => Err(failed(error.to_string())),
        (Err(_elapsed), _) => Err(failed(format!(
            "not ended within {}, killed{output}",
            humantime::format_duration(limit)
        ))),
    }
}

/// Fields are dropped in this order: the group is ended while the child still holds its number.
struct Started {
    group: Group,
    child: Child,
    process: Process,
    stdin: Option<ChildStdin>,
    output: pipe::Receiver,
}

/// The process group of a command that was not waited for yet. Ended on drop.
struct Group(Option<Pid>);

impl Group {
    fn end(&mut self) {
        if let Some(group) = self.0.take() {
            // Fails when none of them is alive, which is well.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(program: &str, arguments: &[String], told: &Notification) -> io::Result<Started> {
    let (output, into) = io::pipe()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("PLIMSOLL_ACTION", told.id.to_string())
        .env(
            "PLIMSOLL_POLICY",
            told.policy.as_deref().unwrap_or_default(),
        )
        .env("PLIMSOLL_RULE", told.rule.as_deref().unwrap_or_default())
        .env("PLIMSOLL_WORKLOAD", &told.workload.id)
        .env("PLIMSOLL_NAME", &told.workload.name)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(into.try_clone()?)
        .stderr(into);
    // SAFETY: setsid(2) is async-signal-safe, and nothing else is called.
    unsafe {
        command.pre_exec(|| Ok(setsid().map(drop)?));
    }
    let mut child = command.spawn()?;
    // The command holds the writing ends of the pipe until it goes.
    drop(command);
    let began = || {
        // `None` only after it was waited for.
        let id = child.id();
        let id = id.ok_or_else(|| io::Error::other("it has no process id"))?;
        let group = i32::try_from(id).map_err(io::Error::other)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(output))?;
        let group = Group(Some(Pid::from_raw(group)));
        Ok((group, Process::open(id)?, output))
    };
    let began: io::Result<_> = began();
    match began {
        Ok((group, process, output)) => Ok(Started {
            group,
            process,
            output,
            stdin: child.stdin.take(),
            child,
        }),
        Err(error) => {
            // Not waited for, so the number is its own. It may have ended.
            let _ = child.start_kill();
            Err(error)
        }
    }
}

/// A command need not read what it is given.
async fn feed(stdin: Option<ChildStdin>, body: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(body).await;
    }
}

/// Reads to the end and keeps the last of it.
async fn keep_tail(output: &pipe::Receiver, tail: &mut Vec<u8>) {
    let mut part = [0; OUTPUT];
    while output.readable().await.is_ok() {
        match output.try_read(&mut part) {
            Ok(0) => return,
            Ok(length) => {
                tail.extend_from_slice(part.get(..length).unwrap_or_default());
                tail.drain(..tail.len().saturating_sub(OUTPUT));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// For the record: nothing for nothing.
fn printed(tail: &[u8]) -> String {
    let text = String::from_utf8_lossy(tail);
    match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
