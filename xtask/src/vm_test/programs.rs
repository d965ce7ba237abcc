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
use super::protocol::{Program, World};
use super::selection::{FEATURES, PRIVILEGED, Selection};
use super::system::layer::{self, LAYER};
use crate::{command, host, workspace};

/// Integration tests of the agent that run in guests, with the longest they may take.
const TESTS: [(&str, u64); 2] = [(FEATURES, 480), (PRIVILEGED, 900)];
/// Tools of the tests that busybox does not have, or not with what they ask of it.
const TOOLS: [&str; 25] = [
    "chrt",
    "curl",
    "dbus-daemon",
    "dash",
    "dd",
    "find",
    "fio",
    "getcap",
    "getent",
    "ip",
    "iperf3",
    "losetup",
    "mke2fs",
    "nft",
    "nsenter",
    "perl",
    "setcap",
    "setpriv",
    "ss",
    "stress-ng",
    "tar",
    "taskset",
    "tc",
    "touch",
    "unshare",
];
/// Where perl-base keeps its modules.
const PERL_MODULES: &str = "/usr/lib/x86_64-linux-gnu/perl-base";
/// Examples that tests load as they are.
const POLICIES: &str = "deploy/policies";
/// Its applets stand in for everything else.
pub(super) const BUSYBOX: &str = "/bin/busybox";

/// The built test programs, with the agent's binary.
pub(super) struct Programs {
    built: Vec<Built>,
    agent: PathBuf,
}

/// One test program, and what is in it.
struct Built {
    name: &'static str,
    path: PathBuf,
    timeout_s: u64,
    tests: Vec<String>,
}

impl Programs {
    /// Builds them.
    pub(super) fn build(selection: &Selection) -> Result<Self> {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--locked", "--no-run"]);
        cargo.arg("--message-format=json-render-diagnostics");
        let wanted = TESTS.iter().filter(|(name, _)| selection.has(name));
        for (name, _) in wanted.clone() {
            cargo.arg(format!("--test={name}"));
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
        let mut built = Vec::new();
        for &(name, timeout_s) in wanted {
            let path = executable(&artifacts, "test", name)
                .with_context(|| format!("cargo built no test program {name}"))?;
            built.push(Built {
                name,
                tests: tests_in(&path)?,
                path,
                timeout_s,
            });
        }
        if built.is_empty() {
            bail!("there is no test program {}", selection.programs.join(", "));
        }
        Ok(Self { built, agent })
    }

    /// Those of the parts that no privileged test has in its name.
    pub(super) fn unknown<'a>(&self, parts: &[&'a str]) -> Vec<&'a str> {
        let privileged = self.built.iter().find(|built| built.name == PRIVILEGED);
        let is_known = |part: &str| {
            privileged.is_none_or(|built| built.tests.iter().any(|test| test.contains(part)))
        };
        let unknown = parts.iter().filter(|part| !is_known(part));
        unknown.copied().collect()
    }

    /// What runs in a guest of that world; `privileged`: tests that the catalogue names for it.
    pub(super) fn of(
        &self,
        world: World,
        selection: &Selection,
        privileged: &[&str],
    ) -> Vec<Program> {
        let program = |built: &Built| {
            let takes = |test: &&String| selection.takes(built.name, test, world, privileged);
            let tests: Vec<_> = built.tests.iter().filter(takes).cloned().collect();
            let mut arguments = vec!["--test-threads=1".to_owned(), "--exact".to_owned()];
            arguments.extend(selection.flags.iter().cloned());
            let is_none = tests.is_empty();
            arguments.extend(tests);
            (!is_none).then(|| Program {
                name: built.name.to_owned(),
                path: built.path.display().to_string(),
                arguments,
                timeout_s: built.timeout_s,
            })
        };
        self.built.iter().filter_map(program).collect()
    }

    /// Writes programs, tools and libraries as an archive: the same for all kernels.
    pub(super) fn archive(&self, out: &Path) -> Result<()> {
        let file =
            fs::File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
        let mut archive = Archive::new(BufWriter::new(file));
        let mut libraries = BTreeSet::new();
        for name in TOOLS {
            let tool = host::program(name).with_context(|| {
                format!("{name} is missing; `cargo xtask setup --vm` installs it")
            })?;
            libraries.extend(linked(&tool)?);
            archive.file(&format!("/usr/bin/{name}"), &fs::read(&tool)?)?;
        }
        archive.link("/bin/sh", "/usr/bin/dash")?;
        let own = std::env::current_exe().context("cannot find this xtask")?;
        libraries.extend(linked(&own)?);
        archive.file("/init", &stripped(&own)?)?;
        let tests = self.built.iter().map(|built| &built.path);
        for program in tests.chain([&self.agent]) {
            libraries.extend(linked(program)?);
            archive.file(&program.display().to_string(), &stripped(program)?)?;
        }
        for module in workspace::files_in(Path::new(PERL_MODULES))? {
            archive.file(&module.display().to_string(), &fs::read(&module)?)?;
        }
        for library in libraries {
            archive.file(&library.display().to_string(), &fs::read(&library)?)?;
        }
        // The tests' way there leads through their own package.
        archive.folder(&workspace::root().join("agent").display().to_string())?;
        for policy in workspace::files_in(&workspace::root().join(POLICIES))? {
            archive.file(&policy.display().to_string(), &fs::read(&policy)?)?;
        }
        archive.finish()?.flush()?;
        Ok(())
    }

    /// As [`archive`](Self::archive), for guests with a system, which has tools and libraries.
    pub(super) fn archive_for_system(&self, out: &Path) -> Result<()> {
        let file =
            fs::File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
        let mut archive = Archive::new(BufWriter::new(file));
        let own = std::env::current_exe().context("cannot find this xtask")?;
        let init = stripped(&own)?;
        archive.file("/init", &init)?;
        archive.file(&format!("{LAYER}/init"), &init)?;
        for library in linked(&own)? {
            archive.file(&library.display().to_string(), &fs::read(&library)?)?;
        }
        for built in self.built.iter().filter(|built| built.name == FEATURES) {
            let path = format!("{LAYER}{}", built.path.display());
            archive.file(&path, &stripped(&built.path)?)?;
        }
        layer::write(
            &mut archive,
            &self.agent.display().to_string(),
            &stripped(&self.agent)?,
        )?;
        archive.finish()?.flush()?;
        Ok(())
    }
}

/// Names of the tests in a program, of which none is run.
fn tests_in(program: &Path) -> Result<Vec<String>> {
    let mut list = Command::new(program);
    let listed = command::output(list.args(["--list", "--format", "terse"]))?;
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
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
