//! Which system calls the installed libseccomp knows.

use std::collections::BTreeSet;

use libseccomp::{ScmpArch, ScmpSyscall};

/// Beyond the numbers of any kernel there is (469 in v6.18, arch/x86/entry/syscalls/syscall_64.tbl).
const NUMBERS: i32 = 1_024;
/// Where x32's numbers begin (`__X32_SYSCALL_BIT`).
const X32: i32 = 0x4000_0000;

/// A name that it does not know has no number to be filtered by.
pub(super) fn is_known(name: &str) -> bool {
    !name.contains('\0') && ScmpSyscall::from_name(name).is_ok_and(|call| !call.is_error())
}

/// All names that it knows on these architectures.
pub(super) fn all(architectures: &[ScmpArch]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for &architecture in architectures {
        let first = if architecture == ScmpArch::X32 {
            X32
        } else {
            0
        };
        let calls = (first..first + NUMBERS).map(ScmpSyscall::from);
        names.extend(calls.filter_map(|call| call.get_name_by_arch(architecture).ok()));
    }
    names
}
