//! Rates in the form that the programs read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use plimsoll_abi::rules::{Asked, EPOCH_MIN_NS, Egress, Ingress, NO_BURST};

const NS_PER_SECOND: u64 = 1_000_000_000;
/// Unused rate that may be caught up with: this long, and this much at the least.
const CREDIT_NS: u64 = 10_000_000;
const CREDIT_BYTES: u64 = 30_000;
/// How far TCP may be ahead of the rate before it loses packets. The first ten segments of each
/// connection are not paced: these are seventy connections' that begin at once.
const DEBT_BYTES: u64 = 1_000_000;
const DEBT_MIN_NS: u64 = 250_000_000;
const DEBT_MAX_NS: u64 = 1_000_000_000;
/// A policer's: TCP waits so long before it sends again what it lost all of (TCP_RTO_MIN,
/// include/net/tcp.h, v6.12); a shorter burst keeps it from ever reaching the rate.
const POLICER_CREDIT_NS: u64 = 200_000_000;

/// An egress rate that begins now, or goes on from one that is in force.
pub(super) fn egress(
    bits_per_second: u64,
    burst_bytes: Option<u64>,
    now_ns: u64,
    before: Option<Egress>,
) -> Egress {
    let rate = bits_per_second / 8;
    let burst = burst_bytes.unwrap_or(CREDIT_BYTES.max(bytes_in(rate, CREDIT_NS)));
    // Flows go on with their part of it; the first epoch that programs count is 2, for 0 is none.
    let before = before.filter(|before| before.rate != 0);
    let level = before.map_or(rate, |before| scaled(before.level, rate, before.rate));
    Egress {
        asked: asked(bits_per_second, burst_bytes),
        rate,
        credit_ns: time_of(burst, rate),
        debt_ns: time_of(burst_bytes.unwrap_or(0).max(DEBT_BYTES), rate)
            .clamp(DEBT_MIN_NS, DEBT_MAX_NS),
        epoch: before.map_or(2, |before| before.epoch),
        epoch_began_ns: before.map_or(now_ns, |before| before.epoch_began_ns),
        epoch_ns: before.map_or(EPOCH_MIN_NS, |before| before.epoch_ns),
        level,
        flows: before.map_or(0, |before| before.flows),
        lowest: u64::MAX,
        greedy_bytes: before.map_or(0, |before| scaled(before.greedy_bytes, rate, before.rate)),
        due_ns: now_ns,
        other_due_ns: now_ns,
        other_rate: rate,
        unattended_bytes: before.map_or(0, |before| before.unattended_bytes),
        sums: before.map_or_else(Default::default, |before| before.sums),
    }
}

/// An ingress rate that the program polices; with an interface, that its queue holds: then the
/// program only counts.
pub(super) fn ingress(
    bits_per_second: u64,
    burst_bytes: Option<u64>,
    queue_ifindex: u32,
    now_ns: u64,
) -> Ingress {
    let rate = bits_per_second / 8;
    let burst_ns = burst_bytes.map_or(0, |bytes| time_of(bytes, rate));
    Ingress {
        asked: asked(bits_per_second, burst_bytes),
        rate: if queue_ifindex == 0 { rate } else { 0 },
        credit_ns: POLICER_CREDIT_NS.max(burst_ns),
        due_ns: now_ns,
        queue_ifindex,
        reserved: 0,
    }
}

/// `CLOCK_MONOTONIC`, the programs' clock.
pub(super) fn now_ns() -> u64 {
    // This clock is always there.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

fn asked(bits_per_second: u64, burst_bytes: Option<u64>) -> Asked {
    Asked {
        bits_per_second,
        burst_bytes: burst_bytes.unwrap_or(NO_BURST),
    }
}

fn time_of(bytes: u64, rate: u64) -> u64 {
    scaled(bytes, NS_PER_SECOND, rate)
}

fn bytes_in(rate: u64, ns: u64) -> u64 {
    scaled(rate, ns, NS_PER_SECOND)
}

/// `value * by / of`, without overflow on the way.
fn scaled(value: u64, by: u64, of: u64) -> u64 {
    let exact = u128::from(value) * u128::from(by) / u128::from(of.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_rate_goes_on_with_its_flows() {
        let first = egress(80_000_000, None, 5, None);
        assert_eq!(
            (first.rate, first.level, first.epoch),
            (10_000_000, 10_000_000, 2)
        );
        assert_eq!(first.credit_ns, CREDIT_NS);
        let running = Egress {
            level: 1_000_000,
            flows: 10,
            epoch: 77,
            ..first
        };
        let second = egress(8_000_000, None, 9, Some(running));
        assert_eq!(
            (second.level, second.flows, second.epoch),
            (100_000, 10, 77)
        );
        // A rate that was being lifted tells nothing.
        let lifted = Egress { rate: 0, ..running };
        assert_eq!(egress(8_000_000, None, 9, Some(lifted)).level, 1_000_000);
        // 30 kB take longer than ten milliseconds at a megabyte a second.
        assert_eq!(second.credit_ns, 30_000_000);
        assert_eq!(egress(8_000_000, Some(1_000), 9, None).credit_ns, 1_000_000);
    }

    #[test]
    fn a_policers_burst_is_never_shorter_than_tcps_patience() {
        assert_eq!(ingress(8_000_000, None, 0, 0).credit_ns, 200_000_000);
        assert_eq!(ingress(8_000_000, Some(1), 0, 0).credit_ns, 200_000_000);
        assert_eq!(
            ingress(8_000_000, Some(1_000_000), 0, 0).credit_ns,
            1_000_000_000
        );
    }
}
