//! Readings in a few bytes: those that did not change take one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::evaluate::{Observation, Series};

/// Set on the code of a value that is as it was.
const SAME: u8 = 0x80;
/// Series that have a code; more than there are, but for disks.
const MOST_CODES: usize = SAME as usize;

/// The latest values by code; not a number: looked for and not there.
pub(super) type Values = BTreeMap<u8, f64>;

/// Which code stands for which series.
#[derive(Clone, Debug, Default)]
pub(super) struct Codec {
    series: Vec<Series>,
    codes: BTreeMap<Series, u8>,
}

impl Codec {
    /// The readings by what was before, which is brought up to date; and whether any is new. A series
    /// beyond the codes is left out.
    pub(super) fn encode(&mut self, before: &mut Values, seen: &Observation) -> (Arc<[u8]>, bool) {
        let mut bytes = Vec::with_capacity(seen.values.len());
        let mut any_new = false;
        for (series, value) in &seen.values {
            let Some(code) = self.code(*series) else {
                continue;
            };
            let value = value.unwrap_or(f64::NAN);
            let old = before.insert(code, value);
            if old.is_some_and(|old| old.to_bits() == value.to_bits()) {
                bytes.push(code | SAME);
            } else {
                any_new = true;
                bytes.push(code);
                bytes.extend(value.to_le_bytes());
            }
        }
        (Arc::from(bytes), any_new)
    }

    /// The readings again, and `before` brought up to date by them.
    pub(super) fn decode(&self, before: &mut Values, bytes: &[u8]) -> Observation {
        let mut seen = Observation::default();
        let mut rest = bytes;
        while let Some((code, after)) = rest.split_first() {
            rest = after;
            let code = if code & SAME == 0 {
                let Some((value, after)) = rest.split_first_chunk() else {
                    break;
                };
                rest = after;
                before.insert(*code, f64::from_le_bytes(*value));
                *code
            } else {
                code & !SAME
            };
            let value = before.get(&code).copied();
            if let Some(series) = self.series.get(usize::from(code)) {
                seen.put(*series, value.filter(|value| !value.is_nan()));
            }
        }
        seen
    }

    /// All values as readings.
    pub(super) fn all(&self, values: &Values) -> Observation {
        let mut seen = Observation::default();
        for (code, value) in values {
            if let Some(series) = self.series.get(usize::from(*code)) {
                seen.put(*series, Some(*value).filter(|value| !value.is_nan()));
            }
        }
        seen
    }

    fn code(&mut self, series: Series) -> Option<u8> {
        if let Some(code) = self.codes.get(&series) {
            return Some(*code);
        }
        if self.series.len() >= MOST_CODES {
            return None;
        }
        let code = u8::try_from(self.series.len()).ok()?;
        self.series.push(series);
        self.codes.insert(series, code);
        Some(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    const SERIES: [Series; 4] = [
        Series::MemoryUsage,
        Series::Pids,
        Series::CpuTime,
        Series::NetEgress,
    ];

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_seen(
            all in prop::collection::vec(
                prop::collection::vec((0usize..4, prop::option::of(0u8..3)), 0..6),
                0..20,
            ),
        ) {
            let mut codec = Codec::default();
            let (mut written, mut read) = (Values::default(), Values::default());
            for values in all {
                let values = values
                    .into_iter()
                    .map(|(at, value)| (SERIES[at], value.map(f64::from)));
                let seen = Observation { values: values.collect() };
                let (bytes, any_new) = codec.encode(&mut written, &seen);
                prop_assert_eq!(any_new, bytes.iter().any(|byte| byte & SAME == 0 ) && bytes.len() > seen.values.len());
                prop_assert_eq!(codec.decode(&mut read, &bytes), seen);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let seen = Codec::default().decode(&mut Values::default(), &bytes);
            prop_assert_eq!(seen, Observation::default());
        }
    }
}
