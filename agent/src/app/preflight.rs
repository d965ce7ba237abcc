//! What must be so before anything is touched.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use procfs::process::Process;

use super::error::Error;

/// Bits of `CapEff` (include/uapi/linux/capability.h, v6.12). CAP_SYS_ADMIN stands in for the two
/// newer ones, as in the kernel.
const NET_ADMIN: u32 = 12;
const SYS_PTRACE: u32 = 19;
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// Checks user and capabilities.
pub(super) fn check() -> Result<(), Error> {
    let effective = Process::myself()
        .and_then(|own| own.status())
        .map_or(0, |s| s.capeff);
    let missing = missing(effective);
    if missing.is_empty() {
        return Ok(());
    }
    let uid = geteuid();
    if uid.is_root() {
        return Err(Error::MissingCapability {
            missing: missing.join(", "),
        });
    }
    Err(Error::NotRoot { uid: uid.as_raw() })
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    let admin = has(SYS_ADMIN);
    let needs = [
        ("CAP_SYS_ADMIN", admin),
        ("CAP_BPF", has(BPF) || admin),
        ("CAP_PERFMON", has(PERFMON) || admin),
        ("CAP_NET_ADMIN", has(NET_ADMIN)),
        ("CAP_SYS_PTRACE", has(SYS_PTRACE)),
    ];
    needs
        .into_iter()
        .filter(|(_, held)| !held)
        .map(|(name, _)| name)
        .collect()
}

/// A dozen kept descriptors a workload: the soft limit goes up to the hard one.
pub(super) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Lets all threads share two heaps. glibc gives each thread one of its own, and what the ledger
/// allocates and scrapes free stays in all of them: 10 of 43 MiB at 1,000 cgroups.
pub(super) fn limit_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: called before other threads start; it only sets a parameter of the allocator.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon() {
        let held = 1 << SYS_ADMIN | 1 << NET_ADMIN | 1 << SYS_PTRACE;
        assert_eq!(missing(held), Vec::<&str>::new());
        assert_eq!(missing(held & !(1 << NET_ADMIN)), ["CAP_NET_ADMIN"]);
        assert_eq!(missing(0).len(), 5);
    }
}
