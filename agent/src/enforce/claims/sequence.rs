//! Which of several writes comes first.

use super::range;
use super::value::Value;
use crate::cgroup::{Knob, Setting};

/// One write among several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) from: &'a Value,
    pub(crate) to: &'a Value,
    /// Path components of the cgroup; what is above has fewer.
    pub(crate) depth: usize,
}

/// Orders writes so that none is refused for another that is still to come: thaw, then all that gives
/// room, from the top of the tree down and the outer limit before the inner, then all that takes room
/// the other way round, then freeze. A child's quota and cpus must fit into its parent's (v1), a burst
/// into its quota, and `memory.high` is of use below `memory.max` only.
pub(crate) fn sequence<T>(changes: &mut [T], of: impl Fn(&T) -> Change<'_>) {
    changes.sort_by_key(|change| {
        let change = of(change);
        let depth = isize::try_from(change.depth).unwrap_or(isize::MAX);
        let outer = isize::from(outer(change.to));
        match phase(change) {
            Phase::Thaw => (0, 0, 0),
            Phase::GiveRoom => (1, depth, outer),
            Phase::TakeRoom => (2, -depth, -outer),
            Phase::Freeze => (3, 0, 0),
        }
    });
}

enum Phase {
    Thaw,
    GiveRoom,
    TakeRoom,
    Freeze,
}

fn phase(change: Change<'_>) -> Phase {
    let (Value::Setting(from), Value::Setting(to)) = (change.from, change.to) else {
        return Phase::GiveRoom;
    };
    match to {
        Setting::Freeze(true) => Phase::Freeze,
        Setting::Freeze(false) => Phase::Thaw,
        Setting::CpusetCpus(new) | Setting::CpusetMems(new) => match from {
            Setting::CpusetCpus(old) | Setting::CpusetMems(old) if width(new) < width(old) => {
                Phase::TakeRoom
            }
            _ => Phase::GiveRoom,
        },
        _ if from != to && range::lower(from, to) == *to => Phase::TakeRoom,
        _ => Phase::GiveRoom,
    }
}

/// 0: the outermost of related limits.
fn outer(value: &Value) -> i8 {
    let Value::Setting(setting) = value else {
        return 0;
    };
    match setting.knob() {
        Knob::CpuMax | Knob::MemorySwapMax | Knob::CpusetMems => 0,
        Knob::CpuMaxBurst | Knob::MemoryMax | Knob::CpusetCpus => 1,
        Knob::MemoryHigh => 2,
        Knob::MemoryLow => 3,
        Knob::MemoryMin => 4,
        Knob::CpuWeight
        | Knob::CpuIdle
        | Knob::MemoryOomGroup
        | Knob::PidsMax
        | Knob::IoMax(_)
        | Knob::IoWeight
        | Knob::Freeze => 0,
    }
}

/// How many CPUs or nodes a list has; the empty list is "as the parent", and always fits.
fn width(list: &str) -> u32 {
    if list.trim().is_empty() {
        return u32::MAX;
    }
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let ends = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
        ends.map_or(0, |(first, last)| {
            last.saturating_sub(first).saturating_add(1)
        })
    });
    ranges.fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::Quota;

    fn cpu(quota_us: u64) -> Value {
        Value::Setting(Setting::CpuMax(Quota {
            quota_us: Some(quota_us),
            period_us: 100_000,
        }))
    }

    fn set(setting: Setting) -> Value {
        Value::Setting(setting)
    }

    /// Names in the order in which they are to be written.
    fn order(mut writes: Vec<(&'static str, Value, Value, usize)>) -> Vec<&'static str> {
        sequence(&mut writes, |(_, from, to, depth)| Change {
            from,
            to,
            depth: *depth,
        });
        writes.iter().map(|(name, ..)| *name).collect()
    }

    #[test]
    fn room_is_given_from_the_top_and_taken_from_the_bottom() {
        let raise = |name, depth| (name, cpu(1_000), cpu(2_000), depth);
        let lower = |name, depth| (name, cpu(2_000), cpu(1_000), depth);
        let writes = vec![
            lower("parent down", 1),
            raise("child up", 2),
            raise("parent up", 1),
            lower("child down", 2),
        ];
        let expected = ["parent up", "child up", "child down", "parent down"];
        assert_eq!(order(writes), expected);
    }

    #[test]
    fn a_burst_fits_into_its_quota_at_every_step() {
        let burst = |us| set(Setting::CpuMaxBurst(us));
        let up = vec![
            ("burst", burst(0), burst(9_000), 1),
            ("quota", cpu(5_000), cpu(9_000), 1),
        ];
        assert_eq!(order(up), ["quota", "burst"]);
        let down = vec![
            ("quota", cpu(9_000), cpu(5_000), 1),
            ("burst", burst(9_000), burst(0), 1),
        ];
        assert_eq!(order(down), ["burst", "quota"]);
    }

    #[test]
    fn memory_is_lowered_softly_first() {
        let high = |bytes| set(Setting::MemoryHigh(bytes));
        let max = |bytes| set(Setting::MemoryMax(bytes));
        let down = vec![
            ("max", max(None), max(Some(4_096)), 1),
            ("high", high(None), high(Some(4_096)), 1),
        ];
        assert_eq!(order(down), ["high", "max"]);
        let up = vec![
            ("high", high(Some(4_096)), high(None), 1),
            ("max", max(Some(4_096)), max(None), 1),
        ];
        assert_eq!(order(up), ["max", "high"]);
    }

    #[test]
    fn what_is_frozen_runs_first_and_is_frozen_last() {
        let writes = vec![
            (
                "freeze",
                set(Setting::Freeze(false)),
                set(Setting::Freeze(true)),
                1,
            ),
            ("quota", cpu(2_000), cpu(1_000), 3),
            (
                "thaw",
                set(Setting::Freeze(true)),
                set(Setting::Freeze(false)),
                9,
            ),
        ];
        assert_eq!(order(writes), ["thaw", "quota", "freeze"]);
    }

    #[test]
    fn lists_of_cpus_are_compared_by_their_cpus() {
        let cpus = |list: &str| set(Setting::CpusetCpus(list.into()));
        let writes = vec![
            ("parent", cpus("0-3"), cpus("0,1,2"), 1),
            ("child", cpus("0-3"), cpus("0-1"), 2),
            ("free", cpus("0"), cpus(""), 2),
        ];
        assert_eq!(order(writes), ["free", "child", "parent"]);
    }
}
