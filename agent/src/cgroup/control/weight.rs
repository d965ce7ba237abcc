//! Weights in the units of v2, v1 and BFQ.
//!
//! The default of each is the default of the others, so that a workload weighs against siblings
//! nobody touched as it would on v2. Runtimes use another formula for `cpu.shares`, linear over the
//! whole range (KEP 2254), which makes 2597 shares of the default weight, two and a half times the
//! default of v1; it is what the agent's metrics invert, and not used to set anything.

/// The kernel's own: kernel/sched/core.c cpu_weight_write_u64(), v6.12. Between 1 and 10000 every
/// weight comes back from its shares.
pub(super) fn to_shares(weight: u64) -> u64 {
    (weight * 1024 + 50) / 100
}

/// The nearest weight; 0, the mark of `cpu.idle`, is never the nearest.
pub(super) fn from_shares(shares: u64) -> u64 {
    ((shares * 100 + 512) / 1024).clamp(1, 10_000)
}

/// Below the default both count alike; above it, BFQ's 100 to 1000 stand for 100 to 10000, as
/// systemd has it.
pub(super) fn to_bfq(weight: u64) -> u64 {
    if weight <= 100 {
        weight
    } else {
        100 + (weight - 100) * 900 / 9_900
    }
}

pub(super) fn from_bfq(bfq: u64) -> u64 {
    if bfq <= 100 {
        bfq
    } else {
        100 + (bfq - 100) * 9_900 / 900
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_ends_are_each_others() {
        assert_eq!([1, 100, 10_000].map(to_shares), [10, 1024, 102_400]);
        assert_eq!([2, 1024, 262_144].map(from_shares), [1, 100, 10_000]);
        assert_eq!([1, 100, 10_000].map(to_bfq), [1, 100, 1000]);
        assert_eq!([1, 100, 1000].map(from_bfq), [1, 100, 10_000]);
    }

    #[test]
    fn every_weight_comes_back_from_its_shares() {
        for weight in 1..=10_000 {
            assert_eq!(from_shares(to_shares(weight)), weight);
        }
    }

    #[test]
    fn every_bfq_weight_comes_back_from_its_weight() {
        for bfq in 1..=1000 {
            assert_eq!(to_bfq(from_bfq(bfq)), bfq);
        }
    }
}
