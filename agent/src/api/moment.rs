//! Times as Docker's clients write them: how long ago, or when.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

/// Seconds since 1970 with their fraction: of a duration before now (`10m`), a time (RFC 3339; without a zone in
/// this host's, and its end may be missing), or such seconds.
///
/// # Errors
/// It is none of them.
pub fn seconds_of_moment(text: &str) -> Result<String, String> {
    instant(text, &Local).map(seconds_of)
}

/// `1m30s`, `500ms`, in nanoseconds.
///
/// # Errors
/// It is no duration.
pub fn nanoseconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no duration; for example `30s` or `1m30s`");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total = 0_f64;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(end);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, after) = unit.split_at(end.unwrap_or(unit.len()));
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * scale;
        rest = after;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    #[allow(clippy::cast_possible_truncation)]
    let nanoseconds = total as i64;
    Ok(nanoseconds)
}

fn instant(text: &str, zone: &impl TimeZone) -> Result<SystemTime, String> {
    let wrong = || format!("`{text}` is no time; for example `10m` or `2026-01-02T15:04:05+02:00`");
    if let Some(since) = since_1970(text) {
        return SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(wrong);
    }
    if let Ok(ago) = nanoseconds(text) {
        let ago = Duration::from_nanos(u64::try_from(ago).unwrap_or(0));
        // To the second, as Docker has it.
        let then = (SystemTime::now() - ago).duration_since(SystemTime::UNIX_EPOCH);
        return Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(then.unwrap_or_default().as_secs()));
    }
    time(text, zone).ok_or_else(wrong)
}

/// `1700000000`, `1700000000.5`
fn since_1970(text: &str) -> Option<Duration> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}");
    let nanoseconds = nanoseconds.get(..9)?.parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanoseconds))
}

/// `2026-01-02T15:04:05.5+02:00` and what is left of it without its end, without the zone, or both.
fn time(text: &str, local: &impl TimeZone) -> Option<SystemTime> {
    let text = text.replacen(' ', "T", 1);
    // The third dash, after those of the date, begins a zone as a plus does.
    let third = text.match_indices('-').nth(2).map(|(at, _)| at);
    let zone = text.find(['Z', 'z', '+']).or(third);
    let (clock, zone) = text.split_at(zone.unwrap_or(text.len()));
    let clock = NaiveDateTime::parse_from_str(clock, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(clock, "%Y-%m-%dT%H:%M"))
        .or_else(|_| {
            let day = NaiveDate::parse_from_str(clock, "%Y-%m-%d");
            day.map(|day| day.and_time(NaiveTime::MIN))
        });
    let clock = clock.ok()?;
    Some(match zone {
        // Of the two that a clock set back shows twice, the first.
        "" => local.from_local_datetime(&clock).earliest()?.into(),
        "Z" | "z" => clock.and_utc().into(),
        offset => {
            let offset: FixedOffset = offset.parse().ok()?;
            let at: DateTime<FixedOffset> = offset.from_local_datetime(&clock).earliest()?;
            at.into()
        }
    })
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

    fn in_berlin(text: &str) -> Result<String, String> {
        let zone = FixedOffset::east_opt(3600).unwrap();
        instant(text, &zone).map(seconds_of)
    }

    #[test]
    fn times_have_a_zone_or_are_in_ours() {
        for (text, seconds) in [
            ("2023-11-14T22:13:20Z", "1700000000.000000000"),
            ("2023-11-15T00:13:20+02:00", "1700000000.000000000"),
            ("2023-11-14T17:13:20.5-05:00", "1700000000.500000000"),
            ("2023-11-14T23:13:20.25", "1700000000.250000000"),
            ("2023-11-14 23:13:20", "1700000000.000000000"),
            ("2023-11-14T23:13", "1699999980.000000000"),
            ("2023-11-14", "1699916400.000000000"),
            ("2023-11-14Z", "1699920000.000000000"),
            ("2023-11-14-05:00", "1699938000.000000000"),
        ] {
            assert_eq!(in_berlin(text).unwrap(), seconds, "{text}");
        }
        for text in ["yesterday", "", "2023-13-01", "2023-11-14T22:13:20+x", "5d"] {
            assert!(in_berlin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_seconds() {
        assert_eq!(
            seconds_of_moment("1700000000.5").unwrap(),
            "1700000000.500000000"
        );
        let ago: f64 = seconds_of_moment("1h").unwrap().parse().unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!((now.as_secs_f64() - 3_600.0 - ago).abs() < 60.0);
        assert_eq!(nanoseconds("1m30.5s"), Ok(90_500_000_000));
        assert!(nanoseconds("5").is_err() && nanoseconds("").is_err());
    }
}
