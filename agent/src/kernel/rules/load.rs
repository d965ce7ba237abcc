//! Loading programs of the object, and putting them on a cgroup.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use aya::maps::Map;
use aya::programs::{Program, ProgramError, ProgramFd};
use aya::{Ebpf, EbpfLoader};

use super::super::object::RULES;
use super::attachment::{Attached, attach, attached, detach};
use super::error::HoldError;
use super::part::{Hook, Part};
use super::value::absent;

/// Members of kernel structs, by the global that holds their offset.
pub(super) type Offsets = Vec<(&'static str, u32)>;

/// A program that can be attached.
pub(super) struct Loaded {
    hook: Hook,
    descriptor: ProgramFd,
}

/// Loads the object with maps of its own, or with pinned ones: name and pin.
pub(super) fn object(
    offsets: &Offsets,
    pinned: &[(&'static str, &Path)],
) -> Result<Ebpf, HoldError> {
    let mut loader = EbpfLoader::new();
    for (symbol, value) in offsets {
        loader.override_global(symbol, value, true);
    }
    for (name, pin) in pinned {
        loader.map_pin_path(name, *pin);
    }
    loader
        .load(RULES)
        .map_err(|error| HoldError::Object(in_one_line(&error)))
}

/// Takes a map of an object whose programs are loaded: those that are not will miss it.
pub(super) fn map(object: &mut Ebpf, name: &'static str) -> Result<Map, HoldError> {
    object.take_map(name).ok_or_else(|| absent(name))
}

/// Loads a part's programs.
pub(super) fn programs(object: &mut Ebpf, part: Part) -> Result<Vec<Loaded>, HoldError> {
    part.hooks()
        .iter()
        .map(|hook| load(object, *hook))
        .collect()
}

/// Attaches a loaded program.
pub(super) fn put(cgroup: &File, loaded: &Loaded) -> Result<(), HoldError> {
    attach(cgroup, loaded.descriptor.as_fd(), loaded.hook).map_err(|source| {
        match source.raw_os_error() {
            // cgroup_bpf_attach(): hierarchy_allows_attach(), kernel/bpf/cgroup.c, v6.12.
            Some(nix::libc::EPERM) => HoldError::Exclusive,
            _ => HoldError::Attach {
                program: loaded.hook.program,
                source,
            },
        }
    })
}

/// Detaches all of a part's programs, whoever attached them, the last first.
pub(super) fn take_off(cgroup: &File, part: Part) -> Result<(), HoldError> {
    for hook in part.hooks().iter().rev() {
        let failed = |source| HoldError::Detach {
            program: hook.program,
            source,
        };
        for found in attached(cgroup, part, *hook).map_err(failed)? {
            detach(cgroup, &found, *hook).map_err(failed)?;
        }
    }
    Ok(())
}

/// The part's program that is attached last; `None` unless each of its hooks has exactly one.
pub(super) fn whole(cgroup: &File, part: Part) -> Option<Attached> {
    let mut last = None;
    for hook in part.hooks() {
        let mut found = attached(cgroup, part, *hook).ok()?;
        last = found.pop();
        if last.is_none() || !found.is_empty() {
            return None;
        }
    }
    last
}

/// One of the part's programs that are attached, for its maps: the last, which has all of them, if
/// it is there.
pub(super) fn any(cgroup: &File, part: Part) -> Option<Attached> {
    let mut hooks = part.hooks().iter().rev();
    hooks.find_map(|hook| attached(cgroup, part, *hook).ok()?.pop())
}

fn load(object: &mut Ebpf, hook: Hook) -> Result<Loaded, HoldError> {
    let refused = |error: ProgramError| HoldError::Program {
        program: hook.program,
        reason: in_one_line(&error),
    };
    let absent = || HoldError::Object(format!("it has no {}", hook.program));
    let program = object.program_mut(hook.program).ok_or_else(absent)?;
    match program {
        Program::CgroupSkb(program) => program.load(),
        Program::SockOps(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::CgroupDevice(program) => program.load(),
        _ => return Err(absent()),
    }
    .map_err(refused)?;
    let descriptor = program
        .fd()
        .and_then(|fd| fd.try_clone().map_err(ProgramError::IOError));
    Ok(Loaded {
        hook,
        descriptor: descriptor.map_err(refused)?,
    })
}

/// The whole cause; of the verifier's log, which is many lines, its verdict.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    super::super::load::chain(error)
}
