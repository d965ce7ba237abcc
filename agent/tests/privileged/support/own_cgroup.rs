//! A cgroup of a test's own, in the hierarchies it asks for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::skip;

static MADE: AtomicU32 = AtomicU32::new(0);

/// The hierarchy of v2, among the names of v1 controllers.
pub(crate) const V2: &str = "cgroup2";
/// Which counts CPU time on v1, exactly.
const CPUACCT: &str = "cpuacct";

/// Removed on drop, with the processes it holds.
pub(crate) struct OwnCgroup {
    name: String,
    /// By v1 controller, or [`V2`].
    directories: BTreeMap<&'static str, PathBuf>,
    children: Vec<Child>,
}

impl OwnCgroup {
    /// Makes one cgroup of the same name in each of the hierarchies: v1 controllers' names, or
    /// [`V2`]. `None`, and the test is skipped, when one is not mounted or root is needed.
    pub(crate) fn make(test: &str, hierarchies: &[&'static str]) -> Option<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("plimsoll-test-{}-{number}", std::process::id());
        Self::make_named(test, name, hierarchies)
    }

    /// One that passes for a container of an engine, by its name and its id, which is another one
    /// each time.
    pub(crate) fn make_container(
        test: &str,
        prefix: &str,
        hierarchies: &[&'static str],
    ) -> Option<(Self, String)> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:032x}{number:032x}", std::process::id());
        let own = Self::make_named(test, format!("{prefix}{id}"), hierarchies)?;
        Some((own, id))
    }

    fn make_named(test: &str, name: String, hierarchies: &[&'static str]) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip(test, "not root");
            return None;
        }
        let mut own = Self {
            name,
            directories: BTreeMap::new(),
            children: Vec::new(),
        };
        for hierarchy in hierarchies {
            let Some(mount) = mount_of(hierarchy) else {
                skip(test, &format!("no {hierarchy} hierarchy"));
                return None;
            };
            let directory = mount.join(&own.name);
            // Controllers that share a hierarchy share the directory.
            if !directory.is_dir() {
                fs::create_dir(&directory).expect("own cgroup");
            }
            own.directories.insert(hierarchy, directory);
        }
        Some(own)
    }

    /// Makes one below it, in the same hierarchies. Drop it first.
    pub(crate) fn nested(&self, name: &str) -> Self {
        let mut nested = Self {
            name: format!("{}/{name}", self.name),
            directories: BTreeMap::new(),
            children: Vec::new(),
        };
        for (hierarchy, directory) in &self.directories {
            let directory = directory.join(name);
            if !directory.is_dir() {
                fs::create_dir(&directory).expect("nested cgroup");
            }
            nested.directories.insert(hierarchy, directory);
        }
        nested
    }

    /// Makes a removed one anew, under its old name.
    pub(crate) fn make_again(&mut self, hierarchies: &[&'static str]) {
        for hierarchy in hierarchies {
            let directory = mount_of(hierarchy).expect("mounted").join(&self.name);
            if !directory.is_dir() {
                fs::create_dir(&directory).expect("own cgroup");
            }
            self.directories.insert(hierarchy, directory);
        }
    }

    /// Its path in every hierarchy.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.name)
    }

    pub(crate) fn directory(&self, hierarchy: &str) -> &Path {
        &self.directories[hierarchy]
    }

    /// A file's text, read anew.
    pub(crate) fn read(&self, hierarchy: &str, file: &str) -> String {
        fs::read_to_string(self.directory(hierarchy).join(file)).expect(file)
    }

    /// A file that is one number.
    pub(crate) fn number(&self, hierarchy: &str, file: &str) -> u64 {
        self.read(hierarchy, file).trim().parse().expect(file)
    }

    /// CPU time by the kernel's counter, in those of [`cpu_hierarchies`] that it was made in.
    pub(crate) fn cpu_ns(&self) -> u64 {
        match self.directories.get(CPUACCT) {
            Some(directory) => cpu_ns(CPUACCT, directory),
            None => cpu_ns(V2, self.directory(V2)),
        }
    }

    /// The number after `key` in a file of such lines.
    pub(crate) fn field(&self, hierarchy: &str, file: &str, key: &str) -> u64 {
        field(&self.read(hierarchy, file), key)
    }

    pub(crate) fn write(&self, hierarchy: &str, file: &str, value: &str) {
        fs::write(self.directory(hierarchy).join(file), value).expect(file);
    }

    /// Starts a program that is in the cgroup from its first instruction on.
    pub(crate) fn spawn(&mut self, program: &str, arguments: &[&str]) -> &mut Child {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "for f in $OWN_CGROUPS; do echo $$ > $f/cgroup.procs; done; exec \"$@\"",
        ]);
        command.arg("sh").arg(program).args(arguments);
        let directories: Vec<_> = self
            .directories
            .values()
            .map(|d| d.to_str().unwrap())
            .collect();
        command.env("OWN_CGROUPS", directories.join(" "));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.children.push(command.spawn().expect(program));
        self.children.last_mut().expect("just pushed")
    }

    /// The program that was started as the `index`th, from 0.
    pub(crate) fn child(&mut self, index: usize) -> &mut Child {
        &mut self.children[index]
    }

    /// Runs a program in the cgroup to its end.
    pub(crate) fn run(&mut self, program: &str, arguments: &[&str]) {
        let status = self.spawn(program, arguments).wait().expect(program);
        assert!(status.success(), "{program} {arguments:?}: {status}");
    }

    /// Waits for the end of a program that was started here.
    pub(crate) fn wait(&mut self, process: u32) -> ExitStatus {
        let own = self.children.iter_mut().find(|child| child.id() == process);
        own.expect("a child").wait().expect("its end")
    }

    /// Ends its processes and removes it, as dropping does; the value stays to be asked.
    pub(crate) fn remove(&mut self) {
        // Tasks in v1's freezer do not even die.
        for directory in self.directories.values() {
            let state = directory.join("freezer.state");
            if state.exists() {
                fs::write(state, "THAWED").expect("thaw");
            }
        }
        for mut child in self.children.drain(..) {
            // Both fail for one that has ended and was waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.directories.is_empty() && Instant::now() < deadline {
            self.directories.retain(|_, directory| {
                end_processes(directory);
                fs::remove_dir(&*directory).is_err() && directory.exists()
            });
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        self.remove();
        for left in self.directories.values() {
            eprintln!("could not remove {}", left.display());
        }
    }
}

/// Grandchildren: whoever is in a cgroup that the test made belongs to the test.
fn end_processes(directory: &Path) {
    let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    // One that ends while the list is written has no number any more: 0, which would be the test's own
    // process group (kernel/cgroup/cgroup.c cgroup_procs_show(), v6.12).
    let processes = listed.lines().filter_map(|line| line.parse().ok());
    for process in processes.filter(|process| *process > 0) {
        let process = nix::unistd::Pid::from_raw(process);
        // May have ended by itself.
        let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
    }
}

/// The hierarchies that tell CPU time here: cpuacct's and v2's, where there are both.
pub(crate) fn cpu_hierarchies() -> Vec<&'static str> {
    mounted(&[CPUACCT, V2])
}

/// CPU time of the host. `None` where nothing tells exactly: the root of v2 counts by ticks, all else
/// by the clock (kernel/cgroup/rstat.c root_cgroup_cputime(), v6.12).
pub(crate) fn host_cpu_ns() -> Option<u64> {
    Some(cpu_ns(CPUACCT, &mount_of(CPUACCT)?))
}

fn cpu_ns(hierarchy: &str, directory: &Path) -> u64 {
    let read = |file: &str| fs::read_to_string(directory.join(file)).expect(file);
    if hierarchy == CPUACCT {
        read("cpuacct.usage").trim().parse().expect("cpuacct.usage")
    } else {
        field(&read("cpu.stat"), "usage_usec") * 1_000
    }
}

/// The number after `key` in such lines.
fn field(text: &str, key: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.expect(key).parse().expect(key)
}

/// Those of the hierarchies that this host has.
pub(crate) fn mounted(hierarchies: &[&'static str]) -> Vec<&'static str> {
    let mounted = hierarchies
        .iter()
        .filter(|hierarchy| mount_of(hierarchy).is_some());
    mounted.copied().collect()
}

/// Where a v1 controller or v2 is mounted whole, from `/proc/self/mounts`.
pub(crate) fn mount_of(hierarchy: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc");
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        let carries = match kind {
            "cgroup2" => hierarchy == V2,
            "cgroup" => options.split(',').any(|option| option == hierarchy),
            _ => false,
        };
        carries.then(|| PathBuf::from(point))
    })
}
