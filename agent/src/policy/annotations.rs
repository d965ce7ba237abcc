//! Limits that a container asks for in its annotations: what Docker's API has no field for.

use std::collections::HashMap;

use super::units::{BitRate, UnitError};
use super::{Limit, TrafficRules};

const EGRESS: &str = "plimsoll.net-egress";
const INGRESS: &str = "plimsoll.net-ingress";

/// The limits in a container's annotations.
///
/// # Errors
/// A quantity is none: which, and what to write.
pub fn limits_of_annotations(annotations: &HashMap<String, String>) -> Result<Vec<Limit>, String> {
    let rate = |name: &str| {
        let Some(text) = annotations.get(name) else {
            return Ok(None);
        };
        let rate = text.parse::<BitRate>();
        let rate = rate.map_err(|error: UnitError| format!("{name} = \"{text}\": {error}"))?;
        Ok::<_, String>(Some(rate.0))
    };
    let rules = TrafficRules {
        egress_bits_per_second: rate(EGRESS)?,
        ingress_bits_per_second: rate(INGRESS)?,
        ..TrafficRules::default()
    };
    let traffic = (rules != TrafficRules::default()).then_some(Limit::Traffic(rules));
    Ok(traffic.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let pairs = pairs.iter();
        let own = pairs.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        own.collect()
    }

    #[test]
    fn rates_are_read_and_others_left_alone() {
        let given = annotations(&[(EGRESS, "100Mbit"), ("plimsoll.rootfs", "/x")]);
        let limits = limits_of_annotations(&given).unwrap();
        let [Limit::Traffic(rules)] = limits.as_slice() else {
            panic!("{limits:?}");
        };
        assert_eq!(rules.egress_bits_per_second, Some(100_000_000));
        assert_eq!(rules.ingress_bits_per_second, None);
        assert!(limits_of_annotations(&annotations(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_rate_is_refused_by_name() {
        let error = limits_of_annotations(&annotations(&[(INGRESS, "fast")])).unwrap_err();
        assert!(
            error.starts_with("plimsoll.net-ingress = \"fast\": "),
            "{error}"
        );
    }
}
