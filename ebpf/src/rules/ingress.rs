//! The ingress rate where no queue can hold it: a policer, which loses packets by design.
//!
//! - Hooks: `cgroup_skb/ingress` on the limited cgroup.
//! - Writes: `PLIMSOLL_INGRES`, `PLIMSOLL_COUNTS`.
//! - Cost: per packet (a GRO buffer is one) three reads of its headers, two look-ups, a division.
//! - Needs: nothing newer than 5.10.
//! - Blind spots: loopback, which is not limited; the sender learns of the rate only by loss.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{cgroup_skb, map};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::SkBuffContext;
use plimsoll_abi::rules::{Ingress, ONLY};

use crate::count::{self, add};
use crate::packet::{self, Packet};
use crate::share::quotient;

#[map(name = "PLIMSOLL_INGRES")]
static INGRESS: Array<Ingress> = Array::with_max_entries(1, 0);

const KEEP: i32 = 1;
const DROP: i32 = 0;
const NS_PER_SECOND: u64 = 1_000_000_000;

#[cgroup_skb(ingress)]
pub(crate) fn hold_ingress(ctx: SkBuffContext) -> i32 {
    let Some(state) = INGRESS.get_ptr_mut(ONLY) else {
        return KEEP;
    };
    if packet::is_loopback(&ctx) {
        return KEEP;
    }
    let packet = Packet::of(&ctx);
    if admit(state, &packet) {
        count::passed(packet.wire_bytes, packet.segments);
        KEEP
    } else {
        count::dropped(packet.wire_bytes, packet.segments);
        DROP
    }
}

#[inline(always)]
fn admit(state: *mut Ingress, packet: &Packet) -> bool {
    // SAFETY: the map's only entry lives as long as the program runs; other CPUs may change the
    // words meanwhile.
    unsafe {
        let rate = (&raw const (*state).rate).read_volatile();
        if rate == 0 {
            return true;
        }
        let now = bpf_ktime_get_ns();
        let earliest = now.saturating_sub((&raw const (*state).credit_ns).read_volatile());
        let mut due = (&raw const (*state).due_ns).read_volatile();
        if due < earliest {
            due = earliest;
            (&raw mut (*state).due_ns).write_volatile(due);
        }
        if due > now {
            return false;
        }
        add(
            &raw mut (*state).due_ns,
            quotient(packet.wire_bytes * NS_PER_SECOND, rate),
        );
    }
    true
}
