//! Times and texts as people read them, in Docker's words.

use std::time::{Duration, SystemTime};

const SHORT_ID: usize = 12;

/// `Less than a second`, `5 minutes`, `About an hour`, `3 weeks`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let minutes = seconds / 60;
    // To the nearest one, as Docker has it.
    let hours = (seconds + 1_800) / 3_600;
    let several = |count: u64, unit: &str| format!("{count} {unit}");
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".into(),
        (1, ..) => "1 second".into(),
        (2..60, ..) => several(seconds, "seconds"),
        (_, 1, _) => "About a minute".into(),
        (_, 2..60, _) => several(minutes, "minutes"),
        (_, _, 1) => "About an hour".into(),
        (_, _, 2..48) => several(hours, "hours"),
        (_, _, 48..336) => several(hours / 24, "days"),
        (_, _, 336..1_440) => several(hours / 24 / 7, "weeks"),
        (_, _, 1_440..17_520) => several(hours / 24 / 30, "months"),
        _ => several(seconds / 3_600 / 24 / 365, "years"),
    }
}

/// `5 minutes ago`; nothing for a time that is unknown.
pub(super) fn ago(seconds_since_epoch: i64) -> String {
    let Ok(seconds) = u64::try_from(seconds_since_epoch) else {
        return "N/A".into();
    };
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let age = SystemTime::now().duration_since(then).unwrap_or_default();
    format!("{} ago", duration(age))
}

/// `2026-01-02 15:04:05 +0000 UTC`
pub(super) fn date(seconds_since_epoch: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds_since_epoch).unwrap_or(0));
    let time = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + seconds).to_string();
    format!("{} +0000 UTC", time.trim_end_matches('Z').replace('T', " "))
}

/// The digits of an id that people see, without the name of its algorithm.
pub(super) fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..SHORT_ID).unwrap_or(digits)
}

/// `a=b,c=d`
pub(super) fn labels<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let labels = labels.into_iter();
    let mut labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    labels.sort();
    labels.join(",")
}

/// At most `width` characters of it, the last of them `…` if there are more.
pub(super) fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let shown: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{shown}…")
}

/// In quotes, as Go quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_dockers_words() {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3_599, "59 minutes"),
            (HOUR, "About an hour"),
            (HOUR + 1_799, "About an hour"),
            (HOUR + 1_800, "2 hours"),
            (47 * HOUR, "47 hours"),
            (2 * DAY, "2 days"),
            (13 * DAY, "13 days"),
            (14 * DAY, "2 weeks"),
            (60 * DAY, "2 months"),
            (365 * DAY, "12 months"),
            (730 * DAY, "2 years"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn texts_that_are_shortened_and_quoted() {
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("web"), "web");
        assert_eq!(
            ellipsis("sh -c 'while :; do :; done'", 20),
            "sh -c 'while :; do …"
        );
        assert_eq!(quote("a \"b\"\n\u{1}"), r#""a \"b\"\n\x01""#);
    }
}
