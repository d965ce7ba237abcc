//! What runs in the guest: the workspace's test programs, and tools of the host that they use,
//! each with the libraries it is linked with.
//!
//! They are the builds that `cargo test` makes anyway, at the same paths as here, so that a test
//! finds the agent's binary where cargo told it at compile time.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::protocol::Program;
use crate::{command, host, workspace};

/// Integration tests of the agent that run in guests, with the longest they may take.
const TESTS: [(&str, u64); 2] = [("vm", 240), ("privileged", 480)];
/// Part of the names of tests that measure the hardware, which here is none.
const TIMINGS: &str = "readings::cost::";
/// Tools of the tests that busybox does not have, or not with what they ask of it.
const TOOLS: [&str; 16] = [
    "chrt",
    "dbus-daemon",
    "dash",
    "dd",
    "fio",
    "ip",
    "iperf3",
    "losetup",
    "nsenter",
    "perl",
    "setpriv",
    "ss",
    "stress-ng",
    "taskset",
    "tc",
    "unshare",
];
/// Where perl-base keeps its modules.
const PERL_MODULES: &str = "/usr/lib/x86_64-linux-gnu/perl-base";
/// Its applets stand in for everything else.
pub(super) const BUSYBOX: &str = "/bin/busybox";

/// The built test programs, with the agent's binary.
pub(super) struct Programs {
    pub(super) tests: Vec<Program>,
    agent: PathBuf,
}

impl Programs {
    /// Builds them.
    pub(super) fn build(only: &[String], harness: &[String]) -> Result<Self> {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--locked", "--no-run", "--package=plimsoll"]);
        cargo.arg("--message-format=json-render-diagnostics");
        for (test, _) in TESTS {
            cargo.arg(format!("--test={test}"));
        }
        let built = cargo
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !built.status.success() {
            bail!("the tests do not build");
        }
        let artifacts = String::from_utf8_lossy(&built.stdout);
        let agent = executable(&artifacts, "bin", "plimsoll").context("cargo built no agent")?;
        let mut tests = Vec::new();
        for (test, timeout_s) in TESTS {
            if !only.is_empty() && !only.iter().any(|name| name == test) {
                continue;
            }
            let path = executable(&artifacts, "test", test)
                .with_context(|| format!("cargo built no test program {test}"))?;
            let mut arguments = ["--test-threads=1", "--skip", TIMINGS]
                .map(str::to_owned)
                .to_vec();
            arguments.extend_from_slice(harness);
            tests.push(Program {
                name: test.to_owned(),
                path: path.display().to_string(),
                arguments,
                timeout_s,
            });
        }
        if tests.is_empty() {
            bail!("there is no test program {}", only.join(", "));
        }
        Ok(Self { tests, agent })
    }

    /// Writes programs, tools and libraries as an archive: the same for all kernels.
    pub(super) fn archive(&self, out: &Path) -> Result<()> {
        let file =
            fs::File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
        let mut archive = Archive::new(BufWriter::new(file));
        let mut libraries = BTreeSet::new();
        for name in TOOLS {
            let tool = host::program(name).with_context(|| {
                format!("{name} is missing; `cargo xtask setup --test` installs it")
            })?;
            libraries.extend(linked(&tool)?);
            archive.file(&format!("/usr/bin/{name}"), &fs::read(&tool)?)?;
        }
        archive.link("/bin/sh", "/usr/bin/dash")?;
        let own = std::env::current_exe().context("cannot find this xtask")?;
        libraries.extend(linked(&own)?);
        archive.file("/init", &stripped(&own)?)?;
        let tests = self.tests.iter().map(|test| PathBuf::from(&test.path));
        for program in tests.chain([self.agent.clone()]) {
            libraries.extend(linked(&program)?);
            archive.file(&program.display().to_string(), &stripped(&program)?)?;
        }
        for module in workspace::files_in(Path::new(PERL_MODULES))? {
            archive.file(&module.display().to_string(), &fs::read(&module)?)?;
        }
        for library in libraries {
            archive.file(&library.display().to_string(), &fs::read(&library)?)?;
        }
        archive.finish()?.flush()?;
        Ok(())
    }
}

/// The executable of a target, from cargo's messages.
fn executable(messages: &str, kind: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = &message["target"];
        let fits = target["name"] == name && target["kind"][0] == kind;
        fits.then(|| message["executable"].as_str().map(PathBuf::from))?
    })
}

/// Libraries that the program is linked with, the loader among them; none for a static one.
fn linked(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = Command::new("ldd")
        .arg(program)
        .output()
        .context("cannot start ldd")?;
    Ok(libraries(&String::from_utf8_lossy(&listed.stdout)))
}

fn libraries(listed: &str) -> Vec<PathBuf> {
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// The program without debug information, of which it is mostly made.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let name = program.file_name().context("a program without a name")?;
    let out = workspace::root().join("target/vm/stripped").join(name);
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    command::output(
        Command::new("strip")
            .args(["--strip-debug", "-o"])
            .arg(&out)
            .arg(program),
    )?;
    let content = fs::read(&out)?;
    fs::remove_file(&out)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_paths_that_ldd_lists() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            libraries(listed),
            [
                PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
                PathBuf::from("/lib64/ld-linux-x86-64.so.2")
            ]
        );
        assert!(libraries("\tstatically linked\n").is_empty());
    }

    #[test]
    fn the_executable_is_of_the_target_asked_for() {
        let messages = "{\"reason\":\"x\"}\n\
            {\"target\":{\"kind\":[\"lib\"],\"name\":\"plimsoll\"},\"executable\":null}\n\
            {\"target\":{\"kind\":[\"bin\"],\"name\":\"plimsoll\"},\"executable\":\"/t/plimsoll\"}\n";
        assert_eq!(
            executable(messages, "bin", "plimsoll"),
            Some(PathBuf::from("/t/plimsoll"))
        );
        assert_eq!(executable(messages, "test", "vm"), None);
    }
}
