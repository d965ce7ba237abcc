//! What the starter itself holds, and the specification cut down to it.

use std::io;

use libcontainer::capabilities::CapabilityExt;
use libcontainer::oci_spec::runtime::{
    Capabilities, LinuxCapabilities, PosixRlimitBuilder, PosixRlimitType, Process,
};
use rustix::process::{Resource, Rlimit, getrlimit};

use super::Warning;

const CAP_SYS_RESOURCE: u8 = 24;
const OOM_SCORE_ADJ: &str = "/proc/self/oom_score_adj";

/// Capabilities of this process that it may pass on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held(u64);

impl Held {
    /// Those permitted and in the bounding set.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn read() -> io::Result<Self> {
        let status = procfs::process::Process::myself().and_then(|own| own.status());
        let status = status.map_err(io::Error::other)?;
        // The bounding set is there since 2.6.26.
        Ok(Self(status.capprm & status.capbnd.unwrap_or(u64::MAX)))
    }

    const fn has(self, number: u8) -> bool {
        number < 64 && self.0 & (1 << number) != 0
    }
}

/// Capabilities that a process does not ask for it has not: `libcontainer` would leave it its starter's.
pub(super) fn complete(process: &mut Process) {
    let asked = process.capabilities().clone();
    let mut sets = asked.unwrap_or_else(no_capabilities);
    let or_none = |set: &Option<Capabilities>| Some(set.clone().unwrap_or_default());
    sets.set_bounding(or_none(sets.bounding()));
    sets.set_effective(or_none(sets.effective()));
    sets.set_inheritable(or_none(sets.inheritable()));
    sets.set_permitted(or_none(sets.permitted()));
    sets.set_ambient(or_none(sets.ambient()));
    process.set_capabilities(Some(sets));
}

/// The type's own default is some.
pub(in crate::launch) fn no_capabilities() -> LinuxCapabilities {
    let mut none = LinuxCapabilities::default();
    none.set_bounding(None);
    none.set_effective(None);
    none.set_inheritable(None);
    none.set_permitted(None);
    none.set_ambient(None);
    none
}

/// Cuts a process down to what can be given to it.
pub(super) fn clamp(
    process: &mut Process,
    held: &Held,
    in_user_namespace: bool,
    warnings: &mut Vec<Warning>,
) {
    // Seccomp is loaded before capabilities are dropped only if this is absent: `false` has it loaded
    // after, which the kernel then refuses (libcontainer 0.7.0, process/init/process.rs).
    if process.no_new_privileges() == Some(false) {
        process.set_no_new_privileges(None);
    }
    // A user namespace's first process has all capabilities in it, whoever makes it.
    if !in_user_namespace {
        clamp_capabilities(process, *held, warnings);
    }
    // In a user namespace, CAP_SYS_RESOURCE is not held over the host's limits.
    if in_user_namespace || !held.has(CAP_SYS_RESOURCE) {
        clamp_rlimits(process, warnings);
    }
    clamp_oom_score(process, warnings);
}

/// What a process will not have as it is asked for, because whoever starts it has not got it: told with
/// nothing tried, which for the score means that it would have to be lowered.
#[must_use]
pub fn foresee(process: &Process, in_user_namespace: bool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    // Without `/proc` nothing is launched either.
    let Ok(held) = Held::read() else {
        return warnings;
    };
    let mut process = process.clone();
    let asked = process.oom_score_adj();
    process.set_oom_score_adj(None);
    clamp(&mut process, &held, in_user_namespace, &mut warnings);
    if let (Some(asked), Some(own)) = (asked, own_oom_score())
        && asked < own
        && !held.has(CAP_SYS_RESOURCE)
    {
        warnings.push(Warning::OomScore { asked, given: own });
    }
    warnings
}

fn clamp_capabilities(process: &mut Process, held: Held, warnings: &mut Vec<Warning>) {
    let Some(mut sets) = process.capabilities().clone() else {
        return;
    };
    let mut left_out = Vec::new();
    let mut cut = |set: Option<Capabilities>| {
        let set = set?;
        let (kept, not_held) = set
            .into_iter()
            .partition::<Capabilities, _>(|capability| held.has(capability.to_cap().index()));
        left_out.extend(
            not_held
                .iter()
                .map(|capability| capability.to_cap().to_string()),
        );
        Some(kept)
    };
    sets.set_bounding(cut(sets.bounding().clone()));
    sets.set_effective(cut(sets.effective().clone()));
    sets.set_permitted(cut(sets.permitted().clone()));
    sets.set_inheritable(cut(sets.inheritable().clone()));
    sets.set_ambient(cut(sets.ambient().clone()));
    process.set_capabilities(Some(sets));
    left_out.sort();
    left_out.dedup();
    if !left_out.is_empty() {
        warnings.push(Warning::Capabilities { left_out });
    }
}

fn clamp_rlimits(process: &mut Process, warnings: &mut Vec<Warning>) {
    let Some(mut rlimits) = process.rlimits().clone() else {
        return;
    };
    for rlimit in &mut rlimits {
        let Rlimit { maximum, .. } = getrlimit(resource(rlimit.typ()));
        let Some(most) = maximum else { continue };
        if rlimit.hard() > most {
            warnings.push(Warning::Rlimit {
                name: rlimit.typ().to_string(),
                asked: rlimit.hard(),
                given: most,
            });
            let lowered = PosixRlimitBuilder::default()
                .typ(rlimit.typ())
                .hard(most)
                .soft(rlimit.soft().min(most))
                .build();
            // All three that it takes are given.
            if let Ok(lowered) = lowered {
                *rlimit = lowered;
            }
        }
    }
    process.set_rlimits(Some(rlimits));
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    }
}

/// The lowest score that may be set is nowhere to be read: try it, and put back what was.
fn clamp_oom_score(process: &mut Process, warnings: &mut Vec<Warning>) {
    let Some(asked) = process.oom_score_adj() else {
        return;
    };
    let Some(own) = own_oom_score() else { return };
    if std::fs::write(OOM_SCORE_ADJ, asked.to_string()).is_err() {
        let given = own.max(asked);
        process.set_oom_score_adj(Some(given));
        warnings.push(Warning::OomScore { asked, given });
    }
    restore_oom_score(own);
}

/// This process's own score.
fn own_oom_score() -> Option<i32> {
    let text = std::fs::read_to_string(OOM_SCORE_ADJ).ok()?;
    text.trim().parse().ok()
}

/// Puts it back.
fn restore_oom_score(own: i32) {
    if let Err(error) = std::fs::write(OOM_SCORE_ADJ, own.to_string()) {
        tracing::warn!(%error, own, "own oom_score_adj stays the workload's");
    }
}

#[cfg(test)]
#[path = "privileges_tests.rs"]
mod tests;
