//! What all engines need of the host: programs, processes that end, a root file system, cgroups.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// Why these programs cannot be run here; `Ok` with their paths when they can.
pub(crate) fn programs<const N: usize>(names: [&str; N]) -> Result<[PathBuf; N], String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root".to_owned());
    }
    let mut paths = [(); N].map(|()| PathBuf::new());
    for (path, name) in paths.iter_mut().zip(names) {
        *path = find(name).ok_or_else(|| format!("{name} is not installed"))?;
    }
    Ok(paths)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}

/// Polls until `ready`, and fails with `what` when it takes too long.
pub(crate) fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(POLL);
    }
}

/// Standard output of a command that must succeed, without the last line's end.
pub(crate) fn stdout(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        status.success(),
        "{command:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap().trim_end().to_owned()
}

/// A process that was started here and is stopped on drop.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().append(true).create(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.is_running() {
            return;
        }
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ended_already = kill(pid, Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() && Instant::now() < deadline {
            sleep(POLL);
        }
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Makes a root file system of a static busybox in `dir`, with its applets.
pub(crate) fn rootfs(dir: &Path) -> Result<(), String> {
    let [busybox] = programs(["busybox"])?;
    // `ldd` fails on a static program.
    let dynamic = Command::new("ldd").arg(&busybox).output();
    if dynamic.is_ok_and(|ldd| ldd.status.success()) {
        return Err("busybox is not static".to_owned());
    }
    let bin = dir.join("bin");
    for made in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(dir.join(made)).unwrap();
    }
    fs::copy(&busybox, bin.join("busybox")).unwrap();
    for applet in stdout(Command::new(&busybox).arg("--list")).lines() {
        let link = bin.join(applet);
        if applet != "busybox" && !link.exists() {
            std::os::unix::fs::symlink("busybox", link).unwrap();
        }
    }
    Ok(())
}

/// [`rootfs`] as a tar archive in `dir`, for `import`.
pub(crate) fn image(dir: &Path) -> Result<PathBuf, String> {
    let root = dir.join("rootfs");
    rootfs(&root)?;
    let archive = dir.join("image.tar");
    stdout(
        Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&archive)
            .arg("."),
    );
    Ok(archive)
}

/// Paths of the process's cgroups in all hierarchies, as `/proc/PID/cgroup` has them.
pub(crate) fn cgroups(pid: &str) -> Vec<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.splitn(3, ':').nth(2)?.to_owned()))
        .collect()
}

/// Parent cgroups (relative paths, deepest first) that an engine makes and leaves behind. On drop,
/// those that were not there before and are empty are removed, in every hierarchy.
pub(crate) struct CgroupParents(Vec<PathBuf>);

impl CgroupParents {
    pub(crate) fn watch(names: &[&str]) -> Self {
        let mounts = mounts();
        let hierarchies = mounts
            .iter()
            .filter(|mount| mount.kind.starts_with("cgroup"));
        let paths = hierarchies.flat_map(|mount| names.iter().map(|name| mount.at.join(name)));
        Self(paths.filter(|path| !path.exists()).collect())
    }
}

impl Drop for CgroupParents {
    fn drop(&mut self) {
        for path in &self.0 {
            // Not made after all, or somebody else's by now.
            let _kept = fs::remove_dir(path);
        }
    }
}

/// Makes `dir` ready to be removed after its engine has ended: waits for what the engine left running
/// there (conmon tidies up after itself), unmounts what it left mounted.
pub(crate) fn clear(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while mentioned_by_a_process(dir) && Instant::now() < deadline {
        sleep(POLL);
    }
    for mount in mounts()
        .iter()
        .rev()
        .filter(|mount| mount.at.starts_with(dir))
    {
        let _gone_already = nix::mount::umount2(&mount.at, nix::mount::MntFlags::MNT_DETACH);
    }
}

fn mentioned_by_a_process(dir: &Path) -> bool {
    let dir = dir.as_os_str().as_encoded_bytes();
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        arguments.windows(dir.len()).any(|part| part == dir)
    })
}

struct Mount {
    at: PathBuf,
    kind: String,
}

/// Where cgroup hierarchies are mounted.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    let found = mounts().into_iter();
    let found = found.filter(|mount| mount.kind.starts_with("cgroup"));
    found.map(|mount| mount.at).collect()
}

fn mounts() -> Vec<Mount> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let at = PathBuf::from(fields.next()?);
        let kind = fields.next()?.to_owned();
        Some(Mount { at, kind })
    };
    table.lines().filter_map(mount).collect()
}

/// The end of a log, for a failed start.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(10).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
