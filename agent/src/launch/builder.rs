//! `libcontainer` as a workload's first process and one that joins have it in common.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;

use super::executor::Program;
use super::{Id, LaunchError, StateDir, trace};

/// Its own state, in the state directory.
const RUNTIME: &str = "runtime";

/// What a process has from outside.
pub(super) struct Descriptors<'a> {
    /// Socket that the terminal's master is sent to.
    pub(super) console: Option<&'a Path>,
    pub(super) stdio: Option<[OwnedFd; 3]>,
    pub(super) preserved: u32,
}

/// What either begins with.
pub(super) fn builder(
    id: &Id,
    dir: &StateDir,
    program: Program,
    descriptors: Descriptors<'_>,
) -> Result<ContainerBuilder, LaunchError> {
    let builder = ContainerBuilder::new(id.to_string(), SyscallType::default())
        .with_root_path(runtime_root(dir))
        .map_err(|error| trace::refusal(&error))?
        .with_executor(program)
        .with_console_socket(descriptors.console)
        .with_preserved_fds(i32::try_from(descriptors.preserved).unwrap_or(i32::MAX));
    Ok(match descriptors.stdio {
        Some([stdin, stdout, stderr]) => builder
            .with_stdin(stdin)
            .with_stdout(stdout)
            .with_stderr(stderr),
        None => builder,
    })
}

/// `libcontainer`'s directory of a workload.
pub(super) fn runtime_dir(dir: &StateDir, id: &Id) -> PathBuf {
    dir.file(RUNTIME).join(id.as_str())
}

/// Directory of such directories.
fn runtime_root(dir: &StateDir) -> PathBuf {
    dir.file(RUNTIME)
}
