//! Cgroups that tests make: in the v2 hierarchy, or the memory controller's where there is no v2.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::guest::poll;

/// Where the controllers that are asked for are.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    /// One directory in every hierarchy that has it.
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes it in every mounted hierarchy; parents that are missing, too.
    pub(crate) fn make(path: &str) -> Self {
        let directories: Vec<_> = mounts()
            .into_iter()
            .map(|(mount, _)| mount.join(path.trim_start_matches('/')))
            .collect();
        for directory in &directories {
            fs::create_dir_all(directory).unwrap();
            // v1: without these, no task may enter.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                inherit(directory, file);
            }
        }
        Self { directories }
    }

    /// One that somebody else made.
    pub(crate) fn existing(path: &str) -> Self {
        let mounts = mounts().into_iter();
        let directories = mounts.map(|(mount, _)| mount.join(path.trim_start_matches('/')));
        Self {
            directories: directories.collect(),
        }
    }

    /// The directory that has the file; `None` when no hierarchy has.
    fn find(&self, file: &str) -> Option<PathBuf> {
        self.directories
            .iter()
            .map(|directory| directory.join(file))
            .find(|path| path.exists())
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        self.find(file).is_some()
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.find(file).expect(file)).unwrap()
    }

    pub(crate) fn number(&self, file: &str) -> u64 {
        self.read(file).trim().parse().unwrap()
    }

    /// The number after `key` in a file of such lines.
    pub(crate) fn field(&self, file: &str, key: &str) -> Option<u64> {
        self.read(file).lines().find_map(|line| {
            let value = line.strip_prefix(key)?.strip_prefix(' ')?;
            value.trim().parse().ok()
        })
    }

    pub(crate) fn write(&self, file: &str, value: &str) {
        fs::write(self.find(file).expect(file), value).expect(file);
    }

    /// Moves a process there.
    pub(crate) fn enter(&self, process: u32) {
        for directory in &self.directories {
            fs::write(directory.join("cgroup.procs"), process.to_string()).unwrap();
        }
    }

    /// A command that is in the cgroup before its first instruction.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let files: Vec<_> = self
            .directories
            .iter()
            .map(|directory| directory.join("cgroup.procs"))
            .collect();
        // SAFETY: between fork and exec it only writes files: names this short are put together on
        // the stack, so nothing is allocated.
        unsafe {
            command.pre_exec(move || files.iter().try_for_each(|file| fs::write(file, "0")));
        }
        command
    }

    pub(crate) fn spawn(&self, program: &str, arguments: &[&str]) -> Process {
        Process(self.command(program, arguments).spawn().expect(program))
    }

    /// Ends what is in it and removes it everywhere.
    pub(crate) fn remove(&self) {
        poll("an empty cgroup", || {
            for directory in &self.directories {
                end_processes(directory);
                // Fails while a task is on its way out.
                let _ = fs::remove_dir(directory);
            }
            let gone = self.directories.iter().all(|directory| !directory.exists());
            gone.then_some(())
        });
    }
}

/// A child that is killed on drop.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail for one that has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether cgroup v2 is mounted.
pub(crate) fn has_v2() -> bool {
    mounts().iter().any(|(_, kind)| kind == "cgroup2")
}

/// Whether cgroup v2 has the controllers.
pub(crate) fn is_pure_v2() -> bool {
    mounts().iter().all(|(_, kind)| kind == "cgroup2")
}

/// Mount points of cgroup hierarchies, with their kind.
fn mounts() -> Vec<(PathBuf, String)> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            kind.starts_with("cgroup")
                .then(|| (PathBuf::from(point), kind.to_owned()))
        })
        .collect()
}

/// Takes over a parent's value, where there is such a file without one.
fn inherit(directory: &Path, file: &str) {
    let own = directory.join(file);
    let is_v1 = !directory.join("cgroup.controllers").exists();
    if is_v1 && own.exists() {
        let mut ancestors: Vec<_> = directory.ancestors().skip(1).collect();
        ancestors.retain(|ancestor| ancestor.join(file).exists());
        ancestors.reverse();
        let mut line = ancestors;
        line.push(directory);
        for pair in line.windows(2) {
            let value = fs::read_to_string(pair[0].join(file)).unwrap();
            fs::write(pair[1].join(file), value.trim()).unwrap();
        }
    }
}

fn end_processes(directory: &Path) {
    let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    for process in listed.lines().filter_map(|line| line.parse().ok()) {
        // May have ended by itself.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(process),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}
