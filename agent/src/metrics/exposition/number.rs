//! Values, and how they are written without going through a float where the kernel counts in
//! integers.

use std::time::{SystemTime, UNIX_EPOCH};

/// The value of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(u64),
    Float(f64),
    /// Written as seconds, exactly.
    Nanoseconds(u64),
}

impl Value {
    /// Microseconds, written as seconds. Saturates after 584 years.
    pub(crate) const fn microseconds(us: u64) -> Self {
        Self::Nanoseconds(us.saturating_mul(1_000))
    }

    /// Appends the number.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(value) => integer(out, value),
            Self::Float(value) => float(out, value),
            Self::Nanoseconds(ns) => decimal(out, ns, 1_000_000_000),
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(u64::from(value))
    }
}

/// Seconds since the epoch, to the millisecond; a time before it is 0.
impl From<SystemTime> for Value {
    fn from(time: SystemTime) -> Self {
        Self::microseconds(epoch_ms(time).saturating_mul(1_000))
    }
}

/// Milliseconds since the epoch; a time before it is 0.
pub(super) fn epoch_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest text that reads back as the same float; both formats know these three words.
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
}

/// `value / scale` with `scale` a power of ten, without trailing zeros.
pub(super) fn decimal(out: &mut Vec<u8>, value: u64, scale: u64) {
    integer(out, value / scale);
    let mut rest = value % scale;
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let mut place = scale / 10;
    while rest > 0 {
        // A digit: the remainder is below ten times its place.
        out.push(b'0' + (rest / place) as u8);
        rest %= place;
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use std::time::Duration;

    fn text(value: impl Into<Value>) -> String {
        let mut out = Vec::new();
        value.into().write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn integers_are_exact() {
        assert_eq!(text(0_u64), "0");
        assert_eq!(text(u64::MAX), "18446744073709551615");
        assert_eq!(text(true), "1");
    }

    #[test]
    fn floats_have_their_words() {
        assert_eq!(text(f64::NAN), "NaN");
        assert_eq!(text(f64::INFINITY), "+Inf");
        assert_eq!(text(f64::NEG_INFINITY), "-Inf");
        assert_eq!(text(0.5), "0.5");
        assert_eq!(text(1.0), "1.0");
        assert_eq!(text(-2.25), "-2.25");
        assert_eq!(text(1e300), "1e300");
    }

    #[test]
    fn seconds_are_exact_and_short() {
        assert_eq!(text(Value::Nanoseconds(0)), "0");
        assert_eq!(text(Value::Nanoseconds(2_000_000_000)), "2");
        assert_eq!(text(Value::Nanoseconds(1)), "0.000000001");
        assert_eq!(text(Value::Nanoseconds(12_340_000_000)), "12.34");
        assert_eq!(text(Value::microseconds(1_500)), "0.0015");
        assert_eq!(text(Value::Nanoseconds(u64::MAX)), "18446744073.709551615");
    }

    #[test]
    fn times_are_seconds_since_the_epoch() {
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        assert_eq!(text(time), "1700000000.25");
        assert_eq!(text(UNIX_EPOCH - Duration::from_secs(1)), "0");
    }

    proptest! {
        #[test]
        fn seconds_read_back(ns in any::<u64>()) {
            let written = text(Value::Nanoseconds(ns));
            let (seconds, fraction) = written.split_once('.').unwrap_or((&written, ""));
            let padded = format!("{seconds}{fraction:0<9}");
            prop_assert_eq!(padded.parse::<u64>().ok(), Some(ns));
        }

        #[test]
        fn floats_read_back(value in any::<f64>()) {
            let read: f64 = text(value).parse().unwrap_or(f64::NAN);
            prop_assert_eq!(read.is_nan(), value.is_nan());
            if !value.is_nan() {
                prop_assert_eq!(read, value);
            }
        }
    }
}
