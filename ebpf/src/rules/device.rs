//! Which devices the cgroup's tasks may use.
//!
//! - Hooks: `cgroup/dev` on the cgroup, beside the engine's own: all of them must allow.
//! - Writes: `PLIMSOLL_COUNTS`.
//! - Cost: per open or mknod of a device, one look-up and a walk over at most 64 rules.
//! - Needs: bounded loops (5.3).
//! - Blind spots: devices that are open already.

use aya_ebpf::macros::{cgroup_device, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::DeviceContext;
use plimsoll_abi::rules::{ANY, DeviceRule, Devices, ONLY, RULES_MAX};

use crate::count;

/// A hash map, as in `address`.
#[map(name = "PLIMSOLL_DEVICE")]
static DEVICES: HashMap<u32, Devices> = HashMap::with_max_entries(1, 0);

const ALLOW: i32 = 1;
/// EPERM to the application.
const DENY: i32 = 0;

#[cgroup_device]
pub(crate) fn hold_device(ctx: DeviceContext) -> i32 {
    // SAFETY: an entry that is replaced lives on until no program runs that may have it.
    let Some(list) = (unsafe { DEVICES.get(ONLY) }) else {
        return ALLOW;
    };
    // SAFETY: the context is valid while the program runs; each is one word of it.
    let (access_and_kind, major, minor) = unsafe {
        (
            (&raw const (*ctx.device).access_type).read_volatile(),
            (&raw const (*ctx.device).major).read_volatile(),
            (&raw const (*ctx.device).minor).read_volatile(),
        )
    };
    let (kind, wanted) = (access_and_kind & 0xffff, access_and_kind >> 16);
    let mut allowed = u32::MAX;
    for n in 0..RULES_MAX {
        if n as u32 >= list.count {
            break;
        }
        let rule = &list.rules[n];
        if matches(rule, kind, major, minor) {
            if rule.allow == 1 {
                allowed |= rule.access;
            } else {
                allowed &= !rule.access;
            }
        }
    }
    if wanted & !allowed == 0 {
        ALLOW
    } else {
        count::denied();
        DENY
    }
}

#[inline(always)]
fn matches(rule: &DeviceRule, kind: u32, major: u32, minor: u32) -> bool {
    (rule.kind == ANY || rule.kind == kind)
        && (rule.major == ANY || rule.major == major)
        && (rule.minor == ANY || rule.minor == minor)
}
