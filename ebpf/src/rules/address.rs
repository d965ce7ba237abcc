//! Which addresses the cgroup's sockets may connect and send to.
//!
//! - Hooks: `cgroup/connect4`, `connect6`, `sendmsg4`, `sendmsg6` on the cgroup.
//! - Writes: `PLIMSOLL_COUNTS`.
//! - Cost: per connect or unconnected datagram, one look-up and a walk over at most 64 rules.
//! - Needs: bounded loops (5.3).
//! - Blind spots: connections that were there before; raw and packet sockets, which take
//!   CAP_NET_RAW; protocols that do not pass these hooks (SCTP).

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::macros::{cgroup_sock_addr, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::SockAddrContext;
use plimsoll_abi::rules::{ANY_PORT, AddressRule, Addresses, ONLY, RULES_MAX};

use crate::count;

/// A hash map, for a hash map's entry is replaced whole: no call sees half of an update.
#[map(name = "PLIMSOLL_ADDRS")]
static ADDRESSES: HashMap<u32, Addresses> = HashMap::with_max_entries(1, 0);

const ALLOW: i32 = 1;
/// EPERM to the application.
const DENY: i32 = 0;
/// Third word of `::ffff:0:0/96`.
const MAPPED: u32 = 0xffff_u32.to_be();
const LOOPBACK_V4: u32 = 0x7f00_0001_u32.to_be();
const LOOPBACK_V6: u32 = 1_u32.to_be();

#[cgroup_sock_addr(connect4)]
pub(crate) fn hold_connect4(ctx: SockAddrContext) -> i32 {
    verdict(v4(ctx.sock_addr), port(ctx.sock_addr))
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn hold_connect6(ctx: SockAddrContext) -> i32 {
    verdict(v6(ctx.sock_addr), port(ctx.sock_addr))
}

#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn hold_sendmsg4(ctx: SockAddrContext) -> i32 {
    verdict(v4(ctx.sock_addr), port(ctx.sock_addr))
}

#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn hold_sendmsg6(ctx: SockAddrContext) -> i32 {
    verdict(v6(ctx.sock_addr), port(ctx.sock_addr))
}

#[inline(always)]
fn verdict(address: [u32; 4], port: u32) -> i32 {
    // SAFETY: an entry that is replaced lives on until no program runs that may have it.
    let Some(list) = (unsafe { ADDRESSES.get(ONLY) }) else {
        return ALLOW;
    };
    if allowed(list, &address, port) {
        ALLOW
    } else {
        count::denied();
        DENY
    }
}

#[inline(always)]
fn allowed(list: &Addresses, address: &[u32; 4], port: u32) -> bool {
    for n in 0..RULES_MAX {
        if n as u32 >= list.count {
            break;
        }
        let rule = &list.rules[n];
        if matches(rule, address, port) {
            return rule.deny == 0;
        }
    }
    list.deny_others == 0
}

#[inline(always)]
fn matches(rule: &AddressRule, address: &[u32; 4], port: u32) -> bool {
    (rule.port == ANY_PORT || rule.port == port)
        && is_mapped(&rule.address) == is_mapped(address)
        && address[0] & rule.mask[0] == rule.address[0]
        && address[1] & rule.mask[1] == rule.address[1]
        && address[2] & rule.mask[2] == rule.address[2]
        && address[3] & rule.mask[3] == rule.address[3]
}

/// IPv4: `::/0` is of IPv6 alone.
#[inline(always)]
fn is_mapped(address: &[u32; 4]) -> bool {
    address[0] == 0 && address[1] == 0 && address[2] == MAPPED
}

/// The kernel takes the unspecified address for loopback's (ip_route_connect(), v6.12).
#[inline(always)]
fn v4(ctx: *mut bpf_sock_addr) -> [u32; 4] {
    // SAFETY: the context is valid while the program runs.
    let address = unsafe { (&raw const (*ctx).user_ip4).read_volatile() };
    let address = if address == 0 { LOOPBACK_V4 } else { address };
    [0, 0, MAPPED, address]
}

#[inline(always)]
fn v6(ctx: *mut bpf_sock_addr) -> [u32; 4] {
    // SAFETY: as above; each is one word of the context.
    let address = unsafe {
        [
            (&raw const (*ctx).user_ip6[0]).read_volatile(),
            (&raw const (*ctx).user_ip6[1]).read_volatile(),
            (&raw const (*ctx).user_ip6[2]).read_volatile(),
            (&raw const (*ctx).user_ip6[3]).read_volatile(),
        ]
    };
    match address {
        [0, 0, 0, 0] => [0, 0, 0, LOOPBACK_V6],
        [0, 0, MAPPED, 0] => [0, 0, MAPPED, LOOPBACK_V4],
        address => address,
    }
}

#[inline(always)]
pub(crate) fn port(ctx: *mut bpf_sock_addr) -> u32 {
    // SAFETY: as above. Network order, in the lower two bytes.
    let port = unsafe { (&raw const (*ctx).user_port).read_volatile() };
    u32::from(u16::from_be(port as u16))
}
