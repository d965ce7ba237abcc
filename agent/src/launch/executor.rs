//! The last step in a workload's process: becoming the program.
//!
//! `libcontainer`'s own executor runs scripts without `#!` in a shell, and words its errors so that no
//! engine recognizes them.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use rustix::fs::{Access, FileType, Uid, access, fchown, fstat};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::stdio::stdin;
use rustix::termios::{Winsize, isatty, tcsetwinsize};

use super::confinement::Confinement;
use super::users::Users;

/// Of descriptors beside standard input, output and error.
const FIRST: i32 = 3;
/// More than are ever open here.
const END: i32 = 256;
/// The last signal's number: `_NSIG` of the kernel.
const SIGNALS: i32 = 64;

/// Starts the program of a specification.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    /// `None`: `libcontainer` has confined it.
    pub(super) confinement: Option<Confinement>,
    /// `None`: it is the workload's first process.
    pub(super) joining: Option<Joining>,
}

/// A process that joins runs at once: its terminal is set up here, and somebody waits to be told why it could
/// not be started.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) terminal_size: Option<Winsize>,
    /// Whom its terminal is for, as the host has it; `None`: it gets none of its own.
    pub(super) terminal_user: Option<u32>,
    /// `None`: those of the host.
    pub(super) users: Option<Users>,
}

impl Executor for Program {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let Err(error) = self.become_program(spec);
        if self.joining.is_none() {
            // The workload's own standard error is all that is left to tell it to.
            let _ = writeln!(io::stderr(), "{error}");
        }
        Err(ExecutorError::Other(error))
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        let name = arguments(spec).and_then(|list| list.first());
        let name = name.ok_or_else(|| invalid("no program to run".to_owned()))?;
        let path = search_path(spec).unwrap_or_default();
        find(name, path)
            .map(drop)
            .map_err(|reason| invalid(format!("exec: {name:?}: {reason}")))
    }
}

fn invalid(text: String) -> ExecutorValidationError {
    ExecutorValidationError::ArgValidationError(text)
}

impl Program {
    fn become_program(&self, spec: &Spec) -> Result<Infallible, String> {
        if let Some(joining) = &self.joining {
            joining
                .set_up_terminal()
                .map_err(|error| format!("terminal: {error}"))?;
            if let Some(users) = &joining.users {
                users.enter().map_err(|error| format!("user: {error}"))?;
            }
        }
        close_ways_out();
        if let Some(confinement) = &self.confinement {
            confinement
                .enter()
                .map_err(|error| format!("confine: {error}"))?;
        }
        let arguments = arguments(spec).ok_or("no program to run")?;
        let name = arguments.first().ok_or("no program to run")?;
        let failed = |reason: &str| format!("exec {name}: {reason}");
        let path = search_path(spec).unwrap_or_default();
        let file = find(name, path).map_err(|reason| failed(&reason))?;
        let text = |text: &str| CString::new(text).map_err(|error| failed(&error.to_string()));
        let file = text(&file.to_string_lossy())?;
        let arguments = arguments.iter().map(|one| text(one));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        reset_signals();
        nix::unistd::execv(&file, &arguments).map_err(|errno| failed(&message(&errno.into())))
    }
}

impl Joining {
    fn set_up_terminal(&self) -> io::Result<()> {
        let Some(user) = self.terminal_user else {
            return Ok(());
        };
        if isatty(stdin()) {
            if let Some(size) = self.terminal_size {
                tcsetwinsize(stdin(), size)?;
            }
            fchown(stdin(), Some(Uid::from_raw(user)), None)?;
        }
        Ok(())
    }
}

/// Closes what `execve()` would close. Until that has succeeded the workload's own files say which path is looked up,
/// and `/proc/self/fd` in it would lead along a directory of the host's to all of the host's files.
fn close_ways_out() {
    // SAFETY: whatever is open is nobody's any more: what comes next is another program.
    let all = (FIRST..END).map(|number| unsafe { BorrowedFd::borrow_raw(number) });
    let mut inherited = 0;
    for descriptor in all {
        let Ok(flags) = fcntl_getfd(descriptor) else {
            continue;
        };
        if !flags.contains(FdFlags::CLOEXEC) {
            inherited += 1;
            continue;
        }
        // What tells why a joining process could not be started leads nowhere.
        let stat = fstat(descriptor);
        if !stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
            // SAFETY: as above.
            unsafe { rustix::io::close(descriptor.as_raw_fd()) };
        }
    }
    // Numbers are given out from the lowest on: beyond is only what whoever started us left open.
    if inherited < END - FIRST {
        // SAFETY: as above; no memory is handed over.
        let _always_there =
            unsafe { nix::libc::syscall(nix::libc::SYS_close_range, END, i32::MAX, 0) };
    }
}

/// A program expects signals as they are by default; Rust's start ignores SIGPIPE, whoever started the agent may
/// have ignored others, and we block those that we wait for.
fn reset_signals() {
    // The kernel's `struct sigaction`, all zero: SIG_DFL without flags. No architecture's is longer.
    let default = [0_u64; 4];
    let none = std::ptr::null_mut::<u64>();
    for signal in 1..=SIGNALS {
        // By the kernel's own call: the C library keeps 32 and 33 to itself. KILL and STOP are refused.
        // SAFETY: the default disposition runs no code of ours.
        let _refused = unsafe {
            let call = nix::libc::SYS_rt_sigaction;
            nix::libc::syscall(call, signal, default.as_ptr(), none, size_of::<u64>())
        };
    }
    // An empty mask is always accepted.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

fn arguments(spec: &Spec) -> Option<&Vec<String>> {
    spec.process().as_ref()?.args().as_ref()
}

fn search_path(spec: &Spec) -> Option<&str> {
    let environment = spec.process().as_ref()?.env().as_ref()?;
    let mut values = environment.iter().rev();
    values.find_map(|variable| variable.strip_prefix("PATH="))
}

/// The file that a name means, as Go's `exec.LookPath` has it and in its words, which engines turn
/// into exit statuses (126, 127).
fn find(name: &str, search_path: &str) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("executable file not found in $PATH".to_owned());
    }
    if name.contains('/') {
        return match check(Path::new(name)) {
            Ok(()) => Ok(name.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(format!("stat {name}: {}", message(&error)))
            }
            Err(error) => Err(message(&error)),
        };
    }
    let mut denied = None;
    for folder in search_path.split(':') {
        let folder = if folder.is_empty() { "." } else { folder };
        let file = Path::new(folder).join(name);
        match check(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied = Some(error),
            Err(_) => {}
        }
    }
    Err(denied.map_or_else(
        || "executable file not found in $PATH".to_owned(),
        |error| message(&error),
    ))
}

fn check(file: &Path) -> io::Result<()> {
    let metadata = fs::metadata(file)?;
    if metadata.is_dir() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(ErrorKind::PermissionDenied.into());
    }
    Ok(access(file, Access::EXEC_OK)?)
}

/// In the words of C's library, in small letters as Go has them.
fn message(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            text.to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn spec(arguments: &[&str], environment: &[&str]) -> Spec {
        let process = serde_json::json!({"cwd": "/", "args": arguments, "env": environment,
            "user": {"uid": 0, "gid": 0}});
        let spec = serde_json::json!({"ociVersion": "1.0.2", "process": process});
        serde_json::from_value(spec).unwrap()
    }

    fn reason(arguments: &[&str], environment: &[&str]) -> String {
        let program = Program::default();
        let error = program.validate(&spec(arguments, environment)).unwrap_err();
        error.to_string()
    }

    #[test]
    fn programs_are_found_on_the_last_path_given() {
        let program = Program::default();
        program.validate(&spec(&["/bin/sh"], &[])).unwrap();
        let path = ["PATH=/nonexistent", "PATH=/usr/bin:/bin"];
        program.validate(&spec(&["sh"], &path)).unwrap();
    }

    #[test]
    fn errors_have_the_words_that_engines_know() {
        let path = ["PATH=/bin"];
        assert_eq!(
            reason(&["nonesuch"], &path),
            "exec: \"nonesuch\": executable file not found in $PATH"
        );
        assert_eq!(
            reason(&["/nonesuch"], &path),
            "exec: \"/nonesuch\": stat /nonesuch: no such file or directory"
        );
        assert_eq!(
            reason(&["/etc/passwd"], &path),
            "exec: \"/etc/passwd\": permission denied"
        );
        assert_eq!(
            reason(&["/etc"], &path),
            "exec: \"/etc\": permission denied"
        );
        assert_eq!(reason(&[], &path), "no program to run");
    }
}
