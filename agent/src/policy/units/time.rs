//! Times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use humantime::format_duration;

use super::quantity::{UnitError, decimal};

const WHAT: &str = "a time";
const EXAMPLE: &str = "1m 30s";

/// A length of time: `50ms`, `10s`, `1m 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(pub Duration);

impl FromStr for TimeSpan {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(time) = humantime::parse_duration(text)
            // It takes a bare zero.
            && decimal(text).is_none()
        {
            return Ok(Self(time));
        }
        let usual = match decimal(text) {
            Some(number) if number > 60.0 => Some("ms"),
            Some(_) => Some("s"),
            None => None,
        };
        Err(match usual {
            Some(unit) => UnitError::NoUnit {
                text: text.to_owned(),
                what: WHAT,
                example: format!("{text}{unit}"),
            },
            None => UnitError::NoNumber {
                text: text.to_owned(),
                what: WHAT,
                example: EXAMPLE,
            },
        })
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format_duration(self.0).to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!("50ms".parse(), Ok(TimeSpan(Duration::from_millis(50))));
        assert_eq!("1m 30s".parse(), Ok(TimeSpan(Duration::from_secs(90))));
        assert_eq!("0s".parse(), Ok(TimeSpan(Duration::ZERO)));
        for (text, error) in [
            ("5", "`5` has no unit; a time is written like `5s`"),
            ("0", "`0` has no unit; a time is written like `0s`"),
            ("500", "`500` has no unit; a time is written like `500ms`"),
            ("soon", "expected a time such as `1m 30s`, not `soon`"),
            (
                "5 apples",
                "expected a time such as `1m 30s`, not `5 apples`",
            ),
            ("-1s", "expected a time such as `1m 30s`, not `-1s`"),
        ] {
            let found = text.parse::<TimeSpan>().map_err(|e| e.to_string());
            assert_eq!(found, Err(error.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(seconds in 0_u64..1 << 40, nanos in 0_u32..1_000_000_000) {
            let time = TimeSpan(Duration::new(seconds, nanos));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _any_answer_will_do = text.parse::<TimeSpan>();
        }
    }
}
