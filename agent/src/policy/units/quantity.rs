//! A number and its unit.

/// Why a text is no such quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("expected {what} such as `{example}`, not `{text}`")]
    NoNumber {
        text: String,
        what: &'static str,
        example: &'static str,
    },
    #[error("`{text}` has no unit; {what} is written like `{example}`")]
    NoUnit {
        text: String,
        what: &'static str,
        example: String,
    },
    #[error("`{unit}` is no unit of {what}; {hint}")]
    UnknownUnit {
        unit: String,
        what: &'static str,
        hint: String,
    },
    #[error("`{text}` is out of range: {range}")]
    OutOfRange { text: String, range: String },
}

/// The units of one kind of quantity.
pub(super) struct Scale {
    /// With its article: `an amount of memory`.
    pub(super) what: &'static str,
    pub(super) example: &'static str,
    /// What most people mean who write no unit.
    pub(super) usual: &'static str,
    /// Each unit, from small to large, and how many of the base unit it is.
    pub(super) units: &'static [(&'static str, u64)],
    /// What people write instead, and what it is to be told them.
    pub(super) mistaken: &'static [(&'static str, &'static str)],
}

impl Scale {
    /// How many base units, rounded to a whole.
    pub(super) fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let (number, unit) = self.split(text)?;
        let Some((_, factor)) = self.units.iter().find(|(known, _)| *known == unit) else {
            return Err(self.unknown(text, number, unit));
        };
        let too_large = || UnitError::OutOfRange {
            text: text.trim().to_owned(),
            range: "too large".to_owned(),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(*factor).ok_or_else(too_large);
        }
        let fraction = self.number(text, number)?;
        // Fractions are for people: what lies beyond f64's 53 bits is not one.
        #[allow(clippy::cast_precision_loss)]
        let value = (fraction * *factor as f64).round();
        #[allow(clippy::cast_precision_loss)]
        let largest = (1_u64 << 53) as f64;
        if value <= largest {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            return Ok(value as u64);
        }
        Err(too_large())
    }

    /// The value in the largest unit that it is a whole number of.
    pub(super) fn shown(&self, value: u64) -> String {
        let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
        let best = self.units.iter().filter(fits).max_by_key(|(_, f)| *f);
        match best.or(self.units.first()) {
            Some((unit, factor)) => format!("{}{unit}", value / factor),
            None => value.to_string(),
        }
    }

    /// As [`Self::shown`] where that is short, else rounded, in the largest unit there is one of.
    pub(super) fn rounded(&self, value: u64) -> String {
        let exact = self.shown(value);
        let digits = exact.chars().filter(char::is_ascii_digit).count();
        let fits = |(_, factor): &&(&str, u64)| value >= *factor;
        let Some((unit, factor)) = self.units.iter().filter(fits).max_by_key(|(_, f)| *f) else {
            return exact;
        };
        if digits <= 4 {
            return exact;
        }
        // Three digits are shown.
        #[allow(clippy::cast_precision_loss)]
        let share = value as f64 / *factor as f64;
        format!("{share:.1}{unit}")
    }

    /// Digits and unit, either of them trimmed; the digits are never empty.
    fn split<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), UnitError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        if number.is_empty() {
            return Err(self.no_number(text));
        }
        Ok((number, unit.trim()))
    }

    fn number(&self, text: &str, number: &str) -> Result<f64, UnitError> {
        let plain = number.parse::<f64>().ok();
        plain
            .filter(|value| value.is_finite())
            .ok_or_else(|| self.no_number(text))
    }

    fn no_number(&self, text: &str) -> UnitError {
        UnitError::NoNumber {
            text: text.to_owned(),
            what: self.what,
            example: self.example,
        }
    }

    fn unknown(&self, text: &str, number: &str, unit: &str) -> UnitError {
        if unit.is_empty() {
            return UnitError::NoUnit {
                text: text.trim().to_owned(),
                what: self.what,
                example: format!("{number}{}", self.usual),
            };
        }
        let told = self.mistaken.iter().find(|(wrong, _)| *wrong == unit);
        let same = |known: &&(&str, u64)| known.0.eq_ignore_ascii_case(unit);
        let hint = match (told, self.units.iter().find(same)) {
            (Some((_, right)), _) => (*right).to_owned(),
            (None, Some((right, _))) => format!("write `{number}{right}`"),
            (None, None) if self.usual.is_empty() => "write the number alone".to_owned(),
            (None, None) => {
                let known: Vec<&str> = self.units.iter().map(|(unit, _)| *unit).collect();
                format!("known are `{}`", known.join("`, `"))
            }
        };
        UnitError::UnknownUnit {
            unit: unit.to_owned(),
            what: self.what,
            hint,
        }
    }
}

/// A plain decimal number, without sign and exponent.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    value.filter(|_| starts && text.chars().all(digits))
}
