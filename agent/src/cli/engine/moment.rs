//! `--since` and `--until`: how long ago, or when.

use std::time::{Duration, SystemTime};

use super::options::nanoseconds;

/// Seconds since 1970 with their fraction, as the engine takes them: of a duration before now (`10m`), a
/// time (RFC 3339, the zone may be missing: UTC), or such seconds.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if is_number(seconds) && is_number(fraction) {
        return Ok(text.to_owned());
    }
    if let Ok(ago) = nanoseconds(text) {
        let ago = Duration::from_nanos(u64::try_from(ago).unwrap_or(0));
        // To the second, as Docker's command line has it.
        let then = seconds_of(SystemTime::now() - ago);
        return Ok(then.split('.').next().unwrap_or_default().to_owned());
    }
    // A day alone is its beginning.
    let whole = if text.len() == "2026-01-01".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    humantime::parse_rfc3339_weak(&whole)
        .map(seconds_of)
        .map_err(|_| format!("`{text}` is no time; for example `10m` or `2026-01-02T15:04:05`"))
}

fn seconds_of(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn durations_times_and_seconds() {
        assert_eq!(parse("1700000000.5").unwrap(), "1700000000.5");
        assert_eq!(
            parse("2023-11-14T22:13:20Z").unwrap(),
            "1700000000.000000000"
        );
        assert_eq!(parse("2023-11-14").unwrap(), "1699920000.000000000");
        let ago: f64 = parse("1h").unwrap().parse().unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!((now.as_secs_f64() - 3_600.0 - ago).abs() < 60.0);
        assert!(parse("yesterday").is_err());
    }
}
