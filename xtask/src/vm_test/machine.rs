//! One guest from power-on to power-off.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::console::Console;
use super::protocol::{Message, SYSTEM_DISK, World};
use super::qemu::Qemu;

/// A stack trace comes in the lines after the one that tells of trouble.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);

/// What to boot.
pub(super) struct Machine<'a> {
    pub(super) qemu: &'a Qemu,
    /// Before each line that is shown.
    pub(super) label: String,
    pub(super) world: World,
    pub(super) image: PathBuf,
    pub(super) initramfs: PathBuf,
    pub(super) disk: PathBuf,
    /// The image of [`World::Systemd`], which stays as it is.
    pub(super) system: Option<PathBuf>,
    pub(super) log: PathBuf,
    /// Where the guest's reports go.
    pub(super) reports: PathBuf,
    /// From power-on to the first report.
    pub(super) boot_timeout: Duration,
    /// From power-on to the end.
    pub(super) timeout: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Boot {
    pub(super) messages: Vec<Message>,
    /// Why it did not end as planned.
    pub(super) trouble: Option<String>,
    pub(super) tail: Vec<String>,
    pub(super) seconds: f64,
}

impl Machine<'_> {
    /// Boots it and waits for its end, which comes by the time-out at the latest.
    pub(super) fn boot(&self) -> Result<Boot> {
        let began = Instant::now();
        let mut qemu = self.start()?;
        let output = qemu.stdout.take().context("no console")?;
        let lines = read_lines(output);
        let mut log = File::create(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut console = Console::default();
        let mut trouble_at = None;
        let timed_out = loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    writeln!(log, "{line}")?;
                    println!("{} | {line}", self.label);
                    console.read(&line);
                }
                Err(RecvTimeoutError::Disconnected) => break false,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if console.trouble().is_some() {
                let at = *trouble_at.get_or_insert_with(Instant::now);
                if at.elapsed() > LAST_WORDS {
                    break false;
                }
            }
            let time = began.elapsed();
            if time > self.timeout || (time > self.boot_timeout && !self.has_reported()) {
                break true;
            }
        };
        // Gone already, unless the loop was left for the clock's sake.
        let _ = qemu.kill();
        let status = qemu.wait().context("cannot wait for QEMU")?;
        let messages = self.messages();
        let trouble = if let Some(line) = console.trouble() {
            Some(line.to_owned())
        } else if timed_out {
            Some(format!("not done after {} s", began.elapsed().as_secs()))
        } else if !messages
            .iter()
            .any(|message| matches!(message, Message::Done { .. }))
        {
            Some(format!("ended before it was done (QEMU: {status})"))
        } else {
            None
        };
        Ok(Boot {
            messages,
            trouble,
            tail: console.tail().map(str::to_owned).collect(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    fn start(&self) -> Result<Child> {
        let _ = fs::remove_file(&self.reports);
        let drive = format!("if=none,id=scratch,format=raw,file={}", self.disk.display());
        let mut qemu = self.qemu.command();
        qemu.args(["-smp", "2", "-m", self.memory_mib(), "-display", "none"])
            .args(["-nodefaults", "-no-reboot", "-serial", "stdio"])
            .arg("-serial")
            .arg(format!("file:{}", self.reports.display()))
            .args(["-device", "virtio-rng-pci", "-drive", &drive])
            .args(["-device", "virtio-blk-pci,drive=scratch,serial=scratch"])
            .arg("-kernel")
            .arg(&self.image)
            .arg("-initrd")
            .arg(&self.initramfs)
            .args(["-append", &self.command_line()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        if let Some(image) = &self.system {
            let drive = format!(
                "if=none,id=system,format=raw,readonly=on,file={}",
                image.display()
            );
            qemu.args(["-drive", &drive]);
            let device = format!("virtio-blk-pci,drive=system,serial={SYSTEM_DISK}");
            qemu.args(["-device", &device]);
        }
        // SAFETY: between fork and exec this is one system call.
        unsafe {
            // No guest outlives a run that was killed.
            qemu.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        qemu.spawn().context("cannot start QEMU")
    }

    fn command_line(&self) -> String {
        // A guest that oopses must end: most would hang on until the time-out.
        let mut line = "console=ttyS0 quiet panic=-1 oops=panic reboot=t psi=1 mitigations=off \
                        rdinit=/init"
            .to_owned();
        if self.world.is_pure_v2() {
            line.push_str(" cgroup_no_v1=all");
        }
        if self.world == World::Systemd {
            // Docker loads a profile where AppArmor is on; updates are for systems that stay.
            line.push_str(
                " apparmor=0 selinux=0 systemd.condition-needs-update=0 systemd.show_status=error",
            );
        }
        line
    }

    fn memory_mib(&self) -> &'static str {
        match self.world {
            World::Systemd => "2048",
            World::V2 | World::Hybrid | World::V1 => "1536",
        }
    }

    fn has_reported(&self) -> bool {
        fs::metadata(&self.reports).is_ok_and(|reports| reports.len() > 0)
    }

    /// What the guest reported; a line cut short by its end is left out.
    fn messages(&self) -> Vec<Message> {
        let reports = fs::read(&self.reports).unwrap_or_default();
        String::from_utf8_lossy(&reports)
            .lines()
            .filter_map(|line| serde_json::from_str(line.trim()).ok())
            .collect()
    }
}

fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}
