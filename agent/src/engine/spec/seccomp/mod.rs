//! The system calls a container may make.
//!
//! In: capabilities, a profile in Docker's form or none. Out: the filter, in the specification's form.
//! The default is a [`table`]: what it does not list fails with EPERM, and what is newer than the
//! installed libseccomp with ENOSYS, so that programs fall back to what is older. runc patches its
//! filters to the same end; here the default action is ENOSYS and what is denied is listed.

mod filter;
mod known;
mod profile;
mod table;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use libcontainer::oci_spec::runtime::{
    Arch, Capabilities, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};
use libseccomp::ScmpArch;
use nix::libc::{ENOSYS, EPERM};

use self::filter::{Circumstances, version_of};
use self::profile::{Profile, argument, syscall};
use super::SpecError;
use super::security::Seccomp;

const ALLOW: LinuxSeccompAction = LinuxSeccompAction::ScmpActAllow;
const ERRNO: LinuxSeccompAction = LinuxSeccompAction::ScmpActErrno;
/// Oldest kernel on which a tracer cannot change a call after its filter saw it.
const SAFE_TRACING: (u32, u32) = (4, 8);

/// The filter of a container with these capabilities; `None`: none.
pub(super) fn filter(
    wish: &Seccomp,
    capabilities: &Capabilities,
) -> Result<Option<LinuxSeccomp>, SpecError> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let circumstances = Circumstances {
        capabilities,
        machine: std::env::consts::ARCH,
        kernel: version_of(&release).unwrap_or_default(),
    };
    match wish {
        Seccomp::Unconfined => Ok(None),
        Seccomp::Default => kept_default(&circumstances).map(Some),
        Seccomp::Profile(json) => Profile::parse(json)?.resolve(&circumstances).map(Some),
    }
}

/// Checks a profile's form.
pub(super) fn validate(wish: &Seccomp) -> Result<(), SpecError> {
    match wish {
        Seccomp::Default | Seccomp::Unconfined => Ok(()),
        Seccomp::Profile(json) => Profile::parse(json).map(drop),
    }
}

/// The default for the capabilities that were last asked for, which nearly all containers have, is kept: it
/// takes a millisecond to make.
fn kept_default(circumstances: &Circumstances<'_>) -> Result<LinuxSeccomp, SpecError> {
    static LAST: Mutex<Option<(Capabilities, LinuxSeccomp)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((capabilities, filter)) if capabilities == circumstances.capabilities => {
            Ok(filter.clone())
        }
        _ => {
            let filter = default(circumstances)?;
            *last = Some((circumstances.capabilities.clone(), filter.clone()));
            Ok(filter)
        }
    }
}

fn default(circumstances: &Circumstances<'_>) -> Result<LinuxSeccomp, SpecError> {
    let may_all = circumstances.capabilities.contains(&Capability::SysAdmin);
    let mut allowed: BTreeSet<String> = table::ALLOWED
        .iter()
        .flat_map(|cell| table::words(cell))
        .collect();
    if circumstances.kernel >= SAFE_TRACING {
        allowed.extend(table::words(table::TRACING));
    }
    for (machine, cell) in table::ON_MACHINE {
        if machine == circumstances.machine {
            allowed.extend(table::words(cell));
        }
    }
    for (capability, cell) in table::WITH_CAPABILITY {
        if circumstances.capabilities.contains(&capability) {
            allowed.extend(table::words(cell));
        }
    }
    allowed.retain(|name| known::is_known(name));

    let mut rules = conditional(may_all, circumstances.machine)?;
    let mut denied = known::all(&scmp(circumstances.machine));
    denied.retain(|name| {
        let has_rule = |rule: &LinuxSyscall| rule.names().contains(name);
        !allowed.contains(name) && !rules.iter().any(has_rule)
    });
    rules.push(syscall(
        allowed.into_iter().collect(),
        ALLOW,
        None,
        Vec::new(),
    )?);
    rules.push(syscall(
        denied.into_iter().collect(),
        ERRNO,
        Some(errno(EPERM)),
        Vec::new(),
    )?);
    Ok(LinuxSeccompBuilder::default()
        .default_action(ERRNO)
        .default_errno_ret(errno(ENOSYS))
        .architectures(architectures(circumstances.machine))
        .syscalls(rules)
        .build()?)
}

/// Calls that depend on their arguments: what is allowed, and the rest.
fn conditional(may_all: bool, machine: &str) -> Result<Vec<LinuxSyscall>, SpecError> {
    use LinuxSeccompOperator::{ScmpCmpEq as Eq, ScmpCmpMaskedEq as MaskedEq, ScmpCmpNe as Ne};
    let mut rules = Vec::new();
    let mut rule = |name: &str, allow: bool, index, op, value, value_two| {
        let (action, errno) = if allow {
            (ALLOW, None)
        } else {
            (ERRNO, Some(errno(EPERM)))
        };
        let arguments = vec![argument(index, op, value, value_two)?];
        rules.push(syscall(vec![name.to_owned()], action, errno, arguments)?);
        Ok::<(), SpecError>(())
    };
    // The rest gets the default's ENOSYS: a second rule contradicts this one for i386, whose `socketcall`
    // has the family in memory (libseccomp 2.5.4, EEXIST).
    rule("socket", true, 0, Ne, table::AF_VSOCK, 0)?;
    for personality in table::PERSONALITIES {
        rule("personality", true, 0, Eq, personality, 0)?;
    }
    // Any other bit, unless the highest is set too, as in the question that has them all.
    let plain = table::PERSONALITIES
        .iter()
        .filter(|&&one| one != 0xffff_ffff)
        .fold(0, |all, one| all | one);
    for bit in (0..31)
        .map(|shift| 1_u64 << shift)
        .filter(|bit| bit & plain == 0)
    {
        rule("personality", false, 0, MaskedEq, bit | 1 << 31, bit)?;
    }
    if !may_all {
        // s390 has the first two arguments the other way round.
        let index = usize::from(machine == "s390x");
        let all = table::NAMESPACE_FLAGS
            .iter()
            .fold(0, |all, flag| all | flag);
        rule("clone", true, index, MaskedEq, all, 0)?;
        for flag in table::NAMESPACE_FLAGS {
            rule("clone", false, index, MaskedEq, flag, flag)?;
        }
        // Its flags are in memory, which no filter reads: the C library falls back to `clone`.
        let clone3 = vec!["clone3".to_owned()];
        rules.push(syscall(clone3, ERRNO, Some(errno(ENOSYS)), Vec::new())?);
    }
    Ok(rules)
}

/// The machine's own first, then those whose programs it runs too.
fn architectures(machine: &str) -> Vec<Arch> {
    match machine {
        "x86_64" => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32],
        "aarch64" => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
        "s390x" => vec![Arch::ScmpArchS390x, Arch::ScmpArchS390],
        _ => vec![Arch::ScmpArchNative],
    }
}

fn scmp(machine: &str) -> Vec<ScmpArch> {
    match machine {
        "x86_64" => vec![ScmpArch::X8664, ScmpArch::X86, ScmpArch::X32],
        "aarch64" => vec![ScmpArch::Aarch64, ScmpArch::Arm],
        "s390x" => vec![ScmpArch::S390X, ScmpArch::S390],
        _ => vec![ScmpArch::Native],
    }
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
