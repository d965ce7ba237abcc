//! A container's terminal on one of ours: its size, the keys that leave it, and the mode it is left in.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::docker::{Docker, IMAGE};
use crate::{blocking_turn, skip};

const PATIENCE: Duration = Duration::from_secs(30);
const DETACH: &[u8] = b"\x10\x11";

/// A program on a terminal that this process holds the other end of.
pub(crate) struct Session {
    program: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    terminal: File,
    before: Termios,
}

impl Session {
    /// Of ours, that asks at a socket.
    pub(crate) fn start(socket: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.arg("--socket").arg(socket).args(arguments);
        Self::of(command)
    }

    /// Of whatever program.
    pub(crate) fn of(mut command: Command) -> Self {
        let keyboard = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let terminal = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        tcsetwinsize(&terminal, size(33, 77)).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        let program = command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let (sender, screen) = channel();
        let mut reader = keyboard.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            program,
            keyboard,
            screen,
            seen: String::new(),
            terminal,
            before,
        }
    }

    pub(crate) fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// As a terminal's window does it.
    pub(crate) fn is_resized(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.terminal, size(rows, columns)).unwrap();
        self.is_sent(Signal::SIGWINCH);
    }

    fn is_sent(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.program.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits until `text` is on the screen, after what was waited for before.
    pub(crate) fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.screen.recv_timeout(left) else {
                panic!("waited in vain for {text:?}: {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Its exit status; the terminal must be as it was.
    pub(crate) fn ends(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.program.kill().unwrap();
                panic!("it does not end: {:?}", self.seen);
            }
            thread::sleep(Duration::from_millis(20));
        };
        let after = tcgetattr(&self.terminal).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        status.code()
    }
}

const fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[test]
fn a_terminal_is_joined_left_and_joined_again() {
    let test = "a_terminal_is_joined_left_and_joined_again";
    let Some(docker) = Docker::shared().map_err(|reason| skip(test, &reason)).ok() else {
        return;
    };
    let _turn = blocking_turn();
    // More often than once: the engine must not be able to answer before we have left.
    for _ in 0..5 {
        let run = [
            "run", "-it", "--name", "screen", "-e", "PS1=$ ", IMAGE, "sh",
        ];
        let mut session = Session::start(&docker.socket(), &run);
        session.sees("$ ");
        session.types(b"stty size\r");
        session.sees("33 77");
        session.types(DETACH);
        assert_eq!(session.ends(), Some(0));
        let running = docker.cli(&["inspect", "--format", "{{.State.Running}}", "screen"]);
        assert_eq!(running, "true");

        let mut session = Session::start(&docker.socket(), &["attach", "screen"]);
        session.types(b"echo $((40 + 2))\r");
        session.sees("42");
        session.types(b"exit 3\r");
        assert_eq!(session.ends(), Some(3));
        docker.cli(&["rm", "screen"]);
    }
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let test = "a_signal_leaves_the_terminal_as_it_was";
    let Some(docker) = Docker::shared().map_err(|reason| skip(test, &reason)).ok() else {
        return;
    };
    let _turn = blocking_turn();
    let container = docker.container("none", &["--name", "screen"], &["sleep", "1000"]);
    let exec = ["exec", "-it", "-e", "PS1=$ ", &container.id, "sh"];
    let mut session = Session::start(&docker.socket(), &exec);
    session.sees("$ ");
    session.is_sent(Signal::SIGTERM);
    assert_eq!(session.ends(), Some(128 + 15));
}
