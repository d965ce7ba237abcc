//! How much each TCP flow of the cgroup may send, and when a packet is too much.
//!
//! Flows get equal shares, and what some do not use goes to the others (max-min fairness). Time is
//! cut into epochs; at the end of one the level of the next is set from its sums: the rate, less
//! what modest flows and other protocols used, by the number of greedy flows. Within an epoch the
//! level follows the debt, so that what is sent comes to the rate exactly, whatever the level is
//! wrong by.
//!
//! Two CPUs may end an epoch at once: they come to the same values, and lose a few bytes of a sum.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use plimsoll_abi::rules::{EPOCH_MAX_NS, EPOCH_MIN_NS, Egress, ONLY, Sums};

use crate::count::add;
use crate::packet::Packet;

#[map(name = "PLIMSOLL_EGRESS")]
static EGRESS: Array<Egress> = Array::with_max_entries(1, 0);

const NS_PER_SECOND: u64 = 1_000_000_000;
/// Debts and credits are worked off in this time, or an epoch where that is longer: a slow flow
/// sends its next packet only then.
const REACH_MIN_NS: u64 = 200_000_000;
const IDLE_CATCH_UP_NS: u64 = 10_000_000;
const BUSY_CATCH_UP_NS: u64 = 100_000_000;
/// A flow sends at most so much at once, beside `BURST_US`' worth: see `pacing::bound_bursts`.
const BURST_BYTES: u64 = 6_000;
/// A flow that uses its share sends so often in an epoch, at the least.
const BURSTS_PER_EPOCH: u64 = 4;
/// Bytes a second that a flow may always send.
const LEVEL_MIN: u64 = 256;

/// The cgroup's egress state; a pointer into the map, shared by all CPUs.
#[derive(Clone, Copy)]
pub(crate) struct Share(*mut Egress);

impl Share {
    #[inline(always)]
    pub(crate) fn get() -> Option<Self> {
        EGRESS.get_ptr_mut(ONLY).map(Self)
    }

    /// Bytes a second; `None` when the limit is being lifted.
    #[inline(always)]
    pub(crate) fn rate(self) -> Option<u64> {
        // SAFETY: the map's only entry lives as long as the program runs, here and below.
        let rate = unsafe { (&raw const (*self.0).rate).read_volatile() };
        (rate != 0).then_some(rate)
    }

    #[inline(always)]
    pub(crate) fn epoch(self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).epoch).read_volatile() }
    }

    /// Bytes that a flow must have sent in the last epoch to count as greedy.
    #[inline(always)]
    pub(crate) fn greedy_bytes(self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).greedy_bytes).read_volatile() }
    }

    #[inline(always)]
    fn sums(self, epoch: u64) -> *mut Sums {
        // Two places of their own: an index would be a variable offset into the value.
        if epoch & 1 == 0 {
            // SAFETY: as above.
            unsafe { &raw mut (*self.0).sums[0] }
        } else {
            // SAFETY: as above.
            unsafe { &raw mut (*self.0).sums[1] }
        }
    }

    /// A flow that uses its share, or is new, has begun to send in this epoch.
    #[inline(always)]
    pub(crate) fn add_greedy(self) {
        // SAFETY: the sums live as long as the map.
        unsafe { add(&raw mut (*self.sums(self.epoch())).greedy, 1) };
    }

    /// A greedy flow was closed; `counted`: it had sent in this epoch.
    #[inline(always)]
    pub(crate) fn remove_greedy(self, counted: bool) {
        let sums = self.sums(self.epoch());
        // SAFETY: as above.
        unsafe {
            add(&raw mut (*sums).closed, 1);
            if counted {
                add(&raw mut (*sums).greedy, u64::MAX);
            }
        }
    }

    #[inline(always)]
    pub(crate) fn add_modest(self, bytes: u64) {
        // SAFETY: as above.
        unsafe { add(&raw mut (*self.sums(self.epoch())).modest_bytes, bytes) };
    }

    #[inline(always)]
    pub(crate) fn add_unattended(self, bytes: u64) {
        // SAFETY: as above.
        unsafe { add(&raw mut (*self.0).unattended_bytes, bytes) };
    }

    /// Whether the packet may go; if so it is accounted for.
    ///
    /// TCP is held by pacing, and dropped only far beyond the rate: what pacing does not reach are
    /// the first ten segments of each connection and sockets that no callback attends to.
    #[inline(always)]
    pub(crate) fn admit(self, rate: u64, packet: &Packet, now: u64) -> bool {
        // SAFETY: as above; the members are 8-aligned words that other CPUs may change meanwhile.
        unsafe {
            let credit = (&raw const (*self.0).credit_ns).read_volatile();
            let mut due = (&raw const (*self.0).due_ns).read_volatile();
            let earliest = now.saturating_sub(self.catch_up_ns());
            if due < earliest {
                due = earliest;
                (&raw mut (*self.0).due_ns).write_volatile(due);
            }
            let sums = self.sums(self.epoch());
            if packet.is_tcp {
                if due > now + (&raw const (*self.0).debt_ns).read_volatile() {
                    return false;
                }
                add(&raw mut (*sums).tcp_bytes, packet.wire_bytes);
            } else {
                let mut other = (&raw const (*self.0).other_due_ns).read_volatile();
                let earliest = now.saturating_sub(credit);
                if other < earliest {
                    other = earliest;
                    (&raw mut (*self.0).other_due_ns).write_volatile(other);
                }
                if other > now {
                    return false;
                }
                let other_rate = (&raw const (*self.0).other_rate).read_volatile();
                let cost = time_of(packet.wire_bytes, other_rate);
                add(&raw mut (*self.0).other_due_ns, cost);
                add(&raw mut (*sums).other_bytes, packet.wire_bytes);
            }
            add(&raw mut (*self.0).due_ns, time_of(packet.wire_bytes, rate));
        }
        true
    }

    /// Time in which debts and credits are worked off.
    #[inline(always)]
    fn reach_ns(self) -> u64 {
        // SAFETY: as above.
        let epoch_ns = unsafe { (&raw const (*self.0).epoch_ns).read_volatile() };
        epoch_ns.max(REACH_MIN_NS)
    }

    /// How much unused rate TCP may catch up with: what its bursts leave over while flows use all of
    /// their share, and little of what was free before.
    #[inline(always)]
    fn catch_up_ns(self) -> u64 {
        // SAFETY: as above.
        let greedy = unsafe {
            (&raw const (*self.0).flows).read_volatile()
                | (&raw const (*self.sums(self.epoch())).greedy).read_volatile()
        };
        if greedy == 0 {
            IDLE_CATCH_UP_NS
        } else {
            BUSY_CATCH_UP_NS
        }
    }

    /// Bytes a second on the wire that each TCP flow may send now.
    #[inline(always)]
    pub(crate) fn level(self, now: u64) -> u64 {
        // SAFETY: as above.
        unsafe {
            let sums = self.sums(self.epoch());
            let greedy = (&raw const (*sums).greedy).read_volatile();
            let closed = (&raw const (*sums).closed).read_volatile();
            let flows = (&raw const (*self.0).flows).read_volatile();
            let left = flows.saturating_sub(closed).max(greedy).max(1);
            let mut level = (&raw const (*self.0).level).read_volatile();
            level = quotient(level * flows.max(1), left);
            let due = (&raw const (*self.0).due_ns).read_volatile();
            let reach = self.reach_ns() >> 10;
            let corrected = if due > now {
                let debt = ((due - now) >> 10).min(reach / 2);
                reach - debt
            } else {
                reach + ((now - due) >> 10).min(reach / 2)
            };
            level = quotient(level * corrected, reach).max(LEVEL_MIN);
            if level < (&raw const (*self.0).lowest).read_volatile() {
                (&raw mut (*self.0).lowest).write_volatile(level);
            }
            level
        }
    }

    /// Ends the epoch if its time is over, and sets the level of the next.
    #[inline(always)]
    pub(crate) fn turn(self, rate: u64, now: u64) {
        // SAFETY: as above.
        unsafe {
            let began = (&raw const (*self.0).epoch_began_ns).read_volatile();
            let epoch_ns = (&raw const (*self.0).epoch_ns).read_volatile();
            let elapsed = now.saturating_sub(began);
            if elapsed < epoch_ns {
                return;
            }
            let lowest = self
                .level(now)
                .min((&raw const (*self.0).lowest).read_volatile());
            let epoch = self.epoch();
            let last = self.sums(epoch).read_volatile();
            // After a pause nothing is known of the flows: all count as new. Paying off a debt is none.
            let in_debt = (&raw const (*self.0).due_ns).read_volatile() > now;
            let paused = elapsed > 2 * epoch_ns && !in_debt;
            let next = if paused { epoch + 2 } else { epoch + 1 };
            let flows = if paused { 0 } else { last.greedy };

            let half = rate / 2;
            let tcp = per_second(last.tcp_bytes, elapsed);
            let other = per_second(last.other_bytes, elapsed);
            let for_tcp = half.max(rate.saturating_sub(other));
            let for_other = half.max(rate.saturating_sub(tcp));
            let modest = per_second(last.modest_bytes, elapsed).min(for_tcp - for_tcp / 8);
            let level = (for_tcp - modest).checked_div(flows).unwrap_or(for_tcp);
            let bursts = time_of(BURST_BYTES * BURSTS_PER_EPOCH * flows, for_tcp);
            let earliest = now.saturating_sub(IDLE_CATCH_UP_NS);
            if tcp + other < half && (&raw const (*self.0).due_ns).read_volatile() < earliest {
                // The rate held nobody up: what was not used is not caught up with.
                (&raw mut (*self.0).due_ns).write_volatile(earliest);
            }

            let greedy_bytes = bytes_in(lowest, elapsed) * 5 / 8;
            (&raw mut (*self.0).greedy_bytes).write_volatile(greedy_bytes);
            (&raw mut (*self.0).lowest).write_volatile(u64::MAX);
            (&raw mut (*self.0).level).write_volatile(level);
            (&raw mut (*self.0).flows).write_volatile(flows);
            (&raw mut (*self.0).other_rate).write_volatile(for_other);
            (&raw mut (*self.0).epoch_ns).write_volatile((EPOCH_MIN_NS + bursts).min(EPOCH_MAX_NS));
            (&raw mut (*self.0).epoch_began_ns).write_volatile(now);
            self.sums(next).write_volatile(Sums {
                greedy: 0,
                closed: 0,
                modest_bytes: 0,
                tcp_bytes: 0,
                other_bytes: 0,
            });
            (&raw mut (*self.0).epoch).write_volatile(next);
        }
    }
}

/// Nanoseconds that so many bytes take at a rate.
#[inline(always)]
fn time_of(bytes: u64, rate: u64) -> u64 {
    // A packet is at most 1 MiB or so: no overflow.
    quotient(bytes * NS_PER_SECOND, rate)
}

/// Bytes that go at a rate in a time; the time in microseconds keeps it from overflowing.
#[inline(always)]
fn bytes_in(rate: u64, ns: u64) -> u64 {
    rate * (ns / 1_000) / 1_000_000
}

#[inline(always)]
fn per_second(bytes: u64, elapsed_ns: u64) -> u64 {
    // 18 GB an epoch before it overflows; after a pause the sum is of no use.
    quotient(bytes * NS_PER_SECOND, elapsed_ns)
}

/// A division that cannot panic: panicking is what the verifier would have to follow.
#[inline(always)]
pub(crate) fn quotient(dividend: u64, divisor: u64) -> u64 {
    dividend.checked_div(divisor).unwrap_or(0)
}
