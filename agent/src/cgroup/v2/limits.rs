//! Limits in force on v2.

use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::parse;
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::Limits;

/// Fills in what this cgroup's files have; what they lack stays as it is.
pub(super) fn read(
    place: &Place,
    scratch: &mut Scratch,
    limits: &mut Limits,
    pids_max: &mut Option<u64>,
) -> Result<(), Vanished> {
    if let Some(text) = KernFile::passing("cpu.max").read(place, scratch)? {
        (limits.cpu_quota_us, limits.cpu_period_us) = parse::quota_and_period(text);
    }
    // `max` is not a number.
    let mut number = |name| -> Result<Option<u64>, Vanished> {
        Ok(KernFile::passing(name)
            .read(place, scratch)?
            .and_then(parse::number))
    };
    limits.cpu_shares = number("cpu.weight")?.and_then(shares_from_weight);
    limits.memory_max_bytes = number("memory.max")?;
    limits.swap_max_bytes = number("memory.swap.max")?;
    limits.memory_high_bytes = number("memory.high")?;
    limits.memory_reservation_bytes = limits.memory_high_bytes;
    *pids_max = number("pids.max")?;
    Ok(())
}

/// v1 shares, 2 to 262144, from a v2 weight, 1 to 10000: the inverse of the linear conversion in
/// Kubernetes' KEP 2254, as cAdvisor has it. 0 is `cpu.idle`.
fn shares_from_weight(weight: u64) -> Option<u64> {
    (1..=10_000)
        .contains(&weight)
        .then(|| 2 + (weight - 1) * 262_142 / 9_999)
}

#[cfg(test)]
mod tests {
    use super::shares_from_weight;

    #[test]
    fn shares_invert_the_linear_weight() {
        assert_eq!(shares_from_weight(0), None);
        assert_eq!(shares_from_weight(1), Some(2));
        assert_eq!(shares_from_weight(39), Some(998));
        assert_eq!(shares_from_weight(100), Some(2597));
        assert_eq!(shares_from_weight(10_000), Some(262_144));
        assert_eq!(shares_from_weight(10_001), None);
    }
}
