//! Numbers as people read them, in Docker's forms.

use std::time::{Duration, SystemTime};

/// What is shown for a value that does not exist here.
pub(super) const NONE: &str = "--";

const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const MEMORY_DIGITS: usize = 4;
const TRAFFIC_DIGITS: usize = 3;

/// Memory: `1.944MiB`.
pub(super) fn memory(bytes: u64) -> String {
    human(bytes, 1_024.0, BINARY, MEMORY_DIGITS)
}

/// Network and disks: `1.2kB`.
pub(super) fn traffic(bytes: u64) -> String {
    human(bytes, 1_000.0, DECIMAL, TRAFFIC_DIGITS)
}

/// Two of [`traffic`]: `1.2kB / 0B`.
pub(super) fn traffic_pair(pair: Option<(u64, u64)>) -> String {
    match pair {
        Some((one, other)) => format!("{} / {}", traffic(one), traffic(other)),
        None => NONE.into(),
    }
}

/// `12.50%`
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |value| format!("{value:.2}%"))
}

/// The two largest units: `45s`, `3h12m`, `2d5h`.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        small => format!("{large}{large_unit}{small}{small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "m"),
        (1..=13, _, _) => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

/// From one time to a later one, 0 when the clock went back.
pub(super) fn since(from: SystemTime, to: SystemTime) -> String {
    age(to.duration_since(from).unwrap_or_default())
}

fn human(bytes: u64, base: f64, units: [&str; 7], digits: usize) -> String {
    // Exact up to 2^53, far beyond the digits shown.
    #[allow(clippy::cast_precision_loss)]
    let mut value = bytes as f64;
    let mut units = units.into_iter().peekable();
    while let Some(unit) = units.next() {
        let text = significant(value, digits);
        let whole = text.parse().unwrap_or(value);
        if whole < base || units.peek().is_none() {
            return format!("{text}{unit}");
        }
        value /= base;
    }
    bytes.to_string()
}

/// `%.{digits}g` without exponents: `1.5`, `12.3`, `123`.
fn significant(value: f64, digits: usize) -> String {
    let before_point = format!("{value:.0}").len();
    let text = format!("{value:.*}", digits.saturating_sub(before_point));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_as_docker_stats_has_it() {
        for (bytes, text) in [
            (0, "0B"),
            (1_023, "1023B"),
            (1_024, "1KiB"),
            (2_038_431, "1.944MiB"),
            (128 << 20, "128MiB"),
            ((15 << 30) + (1 << 29), "15.5GiB"),
            (1_048_575, "1MiB"),
            (u64::MAX, "16EiB"),
        ] {
            assert_eq!(memory(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn traffic_as_docker_stats_has_it() {
        for (bytes, text) in [
            (0, "0B"),
            (648, "648B"),
            (1_240, "1.24kB"),
            (99_960, "100kB"),
            (999_999, "1MB"),
            (12_300_000_000, "12.3GB"),
        ] {
            assert_eq!(traffic(bytes), text, "{bytes}");
        }
        assert_eq!(traffic_pair(Some((1_000, 0))), "1kB / 0B");
        assert_eq!(traffic_pair(None), "--");
    }

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (330, "5m30s"),
            (11_520, "3h12m"),
            (7_200, "2h"),
            (190_800, "2d5h"),
            (86_400 * 45 + 5_000, "45d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn percentages() {
        assert_eq!(percent(Some(0.154)), "0.15%");
        assert_eq!(percent(Some(250.0)), "250.00%");
        assert_eq!(percent(None), "--");
    }
}
