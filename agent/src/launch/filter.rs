//! A seccomp filter as the kernel takes it, compiled once for each profile.
//!
//! libseccomp takes tens of milliseconds for Docker's default profile, more than all the rest of a start.
//! What comes of it depends on the profile and on the library only, and is kept until the next boot.

use std::fs;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};
use libseccomp::error::SeccompError;
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
    ScmpVersion,
};
use nix::libc::{self, sock_filter, sock_fprog};
use rustix::fs::{MemfdFlags, memfd_create};
use sha2::{Digest, Sha256};

use super::state_dir;

const CACHE: &str = "/run/plimsoll/seccomp";
/// Of `SCMP_FLTATR_CTL_OPTIMIZE`. The kernel runs a filter once for each system call there is when it is loaded
/// (kernel/seccomp.c `seccomp_cache_prepare()`, v6.12): in a list of hundreds that takes a while.
const BINARY_TREE: u32 = 2;
/// Profiles are few; this is against who makes one for each workload.
const MOST_KEPT: usize = 64;

/// A compiled filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Of `seccomp(2)`.
    flags: u64,
    program: Vec<sock_filter>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the seccomp profile cannot be made a filter")]
    Rules(#[from] SeccompError),
    #[error("the seccomp profile cannot be made a filter: no {0:?} there")]
    Unsupported(String),
    #[error("the seccomp filter cannot be written or read back")]
    Export(#[source] io::Error),
}

impl Filter {
    /// Of a profile that notifies nobody: from the cache, else compiled.
    ///
    /// # Errors
    /// libseccomp refuses the profile.
    pub(crate) fn of(profile: &LinuxSeccomp) -> Result<Self, FilterError> {
        let path = kept_at(profile)?;
        if let Ok(Some(filter)) = Self::read(&path) {
            return Ok(filter);
        }
        let filter = Self::compile(profile)?;
        if let Err(error) = keep(&path, &filter) {
            tracing::debug!(%error, path = %path.display(), "seccomp filter not kept");
        }
        Ok(filter)
    }

    fn compile(profile: &LinuxSeccomp) -> Result<Self, FilterError> {
        let default = action(profile.default_action(), profile.default_errno_ret())?;
        let mut rules = ScmpFilterContext::new(default)?;
        // libseccomp before 2.5 has none.
        let _ = rules.set_ctl_optimize(BINARY_TREE);
        for &architecture in profile.architectures().iter().flatten() {
            rules.add_arch(native_name(architecture)?)?;
        }
        for rule in profile.syscalls().iter().flatten() {
            let action = action(rule.action(), rule.errno_ret())?;
            // Nothing new, which libseccomp refuses.
            if action != default {
                add(&mut rules, rule, action)?;
            }
        }
        let export = || -> io::Result<Vec<u8>> {
            let mut file = fs::File::from(memfd_create(c"seccomp", MemfdFlags::CLOEXEC)?);
            rules.export_bpf(&file).map_err(io::Error::other)?;
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = export().map_err(FilterError::Export)?;
        Ok(Self {
            flags: profile.flags().iter().flatten().copied().map(flag).sum(),
            program: instructions(&bytes),
        })
    }

    /// Reads what [`Filter::write`] wrote; `None`: there is no such file.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let cut_short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (flags, program) = bytes.split_first_chunk().ok_or_else(cut_short)?;
        Ok(Some(Self {
            flags: u64::from_ne_bytes(*flags),
            program: instructions(program),
        }))
    }

    /// Replaces a file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = self.flags.to_ne_bytes().to_vec();
        for one in &self.program {
            bytes.extend(one.code.to_ne_bytes());
            bytes.extend([one.jt, one.jf]);
            bytes.extend(one.k.to_ne_bytes());
        }
        state_dir::write_bytes(path, &bytes)
    }

    /// Confines this thread, which needs CAP_SYS_ADMIN or no-new-privileges for it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn load(&self) -> io::Result<()> {
        let mut instructions = self.program.clone();
        let program = sock_fprog {
            len: u16::try_from(instructions.len()).map_err(io::Error::other)?,
            filter: instructions.as_mut_ptr(),
        };
        // SAFETY: `program` says where the instructions are and how many; the kernel copies them.
        let loaded = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                self.flags,
                &raw const program,
            )
        };
        if loaded == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Whether somebody is to be asked about calls.
pub(super) fn notifies(profile: &LinuxSeccomp) -> bool {
    let rules = profile.syscalls().iter().flatten();
    let mut actions = rules.map(LinuxSyscall::action);
    actions.any(|action| action == LinuxSeccompAction::ScmpActNotify)
}

/// As runc does it: names that nobody knows are left out, and several conditions on one argument are
/// alternatives.
fn add(
    rules: &mut ScmpFilterContext,
    rule: &LinuxSyscall,
    action: ScmpAction,
) -> Result<(), FilterError> {
    let conditions: Vec<_> = rule.args().iter().flatten().collect();
    let mut arguments: Vec<_> = conditions.iter().map(|one| one.index()).collect();
    arguments.sort_unstable();
    arguments.dedup();
    let are_alternatives = arguments.len() < conditions.len();
    let conditions: Vec<_> = conditions
        .into_iter()
        .map(|one| {
            // libseccomp has six arguments, and refuses others.
            let index = u32::try_from(one.index()).unwrap_or(u32::MAX);
            let second = one.value_two().unwrap_or(0);
            let (comparison, value) = match one.op() {
                LinuxSeccompOperator::ScmpCmpNe => (ScmpCompareOp::NotEqual, one.value()),
                LinuxSeccompOperator::ScmpCmpLt => (ScmpCompareOp::Less, one.value()),
                LinuxSeccompOperator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, one.value()),
                LinuxSeccompOperator::ScmpCmpEq => (ScmpCompareOp::Equal, one.value()),
                LinuxSeccompOperator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, one.value()),
                LinuxSeccompOperator::ScmpCmpGt => (ScmpCompareOp::Greater, one.value()),
                // The specification has the mask first.
                LinuxSeccompOperator::ScmpCmpMaskedEq => {
                    (ScmpCompareOp::MaskedEqual(one.value()), second)
                }
            };
            ScmpArgCompare::new(index, comparison, value)
        })
        .collect();
    for name in rule.names() {
        let Ok(call) = ScmpSyscall::from_name(name) else {
            continue;
        };
        if are_alternatives {
            for one in &conditions {
                rules.add_rule_conditional(action, call, std::slice::from_ref(one))?;
            }
        } else {
            rules.add_rule_conditional(action, call, &conditions)?;
        }
    }
    Ok(())
}

fn action(action: LinuxSeccompAction, value: Option<u32>) -> Result<ScmpAction, FilterError> {
    let unsupported = || FilterError::Unsupported(format!("{action} {value:?}"));
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            ScmpAction::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => {
            let errno = value.map_or(Ok(libc::EPERM), i32::try_from);
            ScmpAction::Errno(errno.map_err(|_| unsupported())?)
        }
        LinuxSeccompAction::ScmpActTrace => {
            let value = value.map_or(Ok(libc::EPERM as u16), u16::try_from);
            ScmpAction::Trace(value.map_err(|_| unsupported())?)
        }
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
        LinuxSeccompAction::ScmpActNotify => return Err(unsupported()),
    })
}

/// Both libraries have the specification's names.
fn native_name(architecture: Arch) -> Result<ScmpArch, FilterError> {
    let name = serde_json::to_value(architecture).ok();
    let name = name.as_ref().and_then(|name| name.as_str());
    let found = name.and_then(|name| name.parse().ok());
    found.ok_or_else(|| FilterError::Unsupported(format!("{architecture:?}")))
}

fn flag(flag: LinuxSeccompFilterFlag) -> u64 {
    match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // Is about notifications.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    }
}

/// As they are in memory (include/uapi/linux/filter.h `struct sock_filter`).
fn instructions(bytes: &[u8]) -> Vec<sock_filter> {
    let (chunks, _) = bytes.as_chunks::<8>();
    let one = |&[a, b, jt, jf, c, d, e, f]: &[u8; 8]| sock_filter {
        code: u16::from_ne_bytes([a, b]),
        jt,
        jf,
        k: u32::from_ne_bytes([c, d, e, f]),
    };
    chunks.iter().map(one).collect()
}

fn kept_at(profile: &LinuxSeccomp) -> Result<PathBuf, FilterError> {
    let ScmpVersion {
        major,
        minor,
        micro,
    } = ScmpVersion::current()?;
    let text = serde_json::to_vec(profile).map_err(|error| FilterError::Export(error.into()))?;
    let digest = Sha256::new()
        .chain_update(format!("{major}.{minor}.{micro} {BINARY_TREE} "))
        .chain_update(text)
        .finalize();
    Ok(Path::new(CACHE).join(format!("{digest:x}")))
}

fn keep(path: &Path, filter: &Filter) -> io::Result<()> {
    let folder = Path::new(CACHE);
    state_dir::private_dirs(folder)?;
    if fs::read_dir(folder)?.count() < MOST_KEPT {
        filter.write(path)?;
    }
    Ok(())
}
