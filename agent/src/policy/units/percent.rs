//! Shares.

use std::fmt;
use std::str::FromStr;

use super::quantity::{UnitError, decimal};

const WHAT: &str = "a share";
const EXAMPLE: &str = "80%";

/// Hundredths: `80%`, `0.5%`. Not negative; may be above 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let number = text.strip_suffix('%').map(str::trim_end);
        match (number.and_then(decimal), decimal(text)) {
            (Some(value), _) => Ok(Self(value)),
            (None, Some(_)) => Err(UnitError::NoUnit {
                text: text.to_owned(),
                what: WHAT,
                example: format!("{text}%"),
            }),
            (None, None) => Err(UnitError::NoNumber {
                text: text.to_owned(),
                what: WHAT,
                example: EXAMPLE,
            }),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_have_a_percent_sign() {
        assert_eq!("80%".parse(), Ok(Percent(80.0)));
        assert_eq!(" 0.5 % ".parse(), Ok(Percent(0.5)));
        for (text, error) in [
            ("80", "`80` has no unit; a share is written like `80%`"),
            ("-3%", "expected a share such as `80%`, not `-3%`"),
            ("inf%", "expected a share such as `80%`, not `inf%`"),
            ("1e3%", "expected a share such as `80%`, not `1e3%`"),
        ] {
            let found = text.parse::<Percent>().map_err(|e| e.to_string());
            assert_eq!(found, Err(error.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value in 0.0..1e6) {
            prop_assert_eq!(Percent(value).to_string().parse(), Ok(Percent(value)));
        }
    }
}
