//! Which ports the cgroup's sockets may bind.
//!
//! - Hooks: `cgroup/bind4`, `cgroup/bind6` on the cgroup.
//! - Writes: `PLIMSOLL_COUNTS`.
//! - Cost: per bind, one look-up and a walk over at most 64 rules.
//! - Needs: bounded loops (5.3).
//! - Blind spots: sockets that were bound before; `listen` without `bind`, which takes a port that
//!   nobody chose.

use aya_ebpf::macros::{cgroup_sock_addr, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::SockAddrContext;
use plimsoll_abi::rules::{ONLY, Ports, RULES_MAX};

use crate::address::port;
use crate::count;

/// A hash map, as in `address`.
#[map(name = "PLIMSOLL_PORTS")]
static PORTS: HashMap<u32, Ports> = HashMap::with_max_entries(1, 0);

const ALLOW: i32 = 1;
/// EPERM to the application.
const DENY: i32 = 0;

#[cgroup_sock_addr(bind4)]
pub(crate) fn hold_bind4(ctx: SockAddrContext) -> i32 {
    verdict(port(ctx.sock_addr))
}

#[cgroup_sock_addr(bind6)]
pub(crate) fn hold_bind6(ctx: SockAddrContext) -> i32 {
    verdict(port(ctx.sock_addr))
}

#[inline(always)]
fn verdict(port: u32) -> i32 {
    // SAFETY: an entry that is replaced lives on until no program runs that may have it.
    let Some(list) = (unsafe { PORTS.get(ONLY) }) else {
        return ALLOW;
    };
    if allowed(list, port) {
        ALLOW
    } else {
        count::denied();
        DENY
    }
}

/// Port 0 asks for any free one, as clients do: a list of what may be bound does not mean it.
#[inline(always)]
fn allowed(list: &Ports, port: u32) -> bool {
    for n in 0..RULES_MAX {
        if n as u32 >= list.count {
            break;
        }
        let rule = &list.rules[n];
        if u32::from(rule.first) <= port && port <= u32::from(rule.last) {
            return rule.deny == 0;
        }
    }
    port == 0 || list.deny_others == 0
}
