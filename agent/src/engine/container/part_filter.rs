//! Filters of lists of images, networks and volumes, and of what `prune` removes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use globset::GlobBuilder;

use super::EngineError;
use super::filter::Filters;

/// Of `prune`; volumes have no `until`.
pub(super) const PRUNES: [&str; 3] = ["label", "label!", "until"];

/// # Errors
/// A filter is none of `known`.
pub(super) fn refuse_unknown(filters: &Filters, known: &[&str]) -> Result<(), EngineError> {
    match filters.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(EngineError::Invalid(format!("invalid filter '{key}'"))),
        None => Ok(()),
    }
}

/// All labels that the filter `label` names, with their values where it has some.
pub(super) fn has_labels(labels: &HashMap<String, String>, filters: &Filters) -> bool {
    let mut wanted = filters.get("label").into_iter().flatten();
    wanted.all(|wanted| has_label(labels, wanted))
}

fn has_label(labels: &HashMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

/// Whether `prune` may take what has these labels: all of `label`, none of `label!`.
pub(super) fn lets_go(labels: &HashMap<String, String>, filters: &Filters) -> bool {
    let mut unwanted = filters.get("label!").into_iter().flatten();
    has_labels(labels, filters) && !unwanted.any(|unwanted| has_label(labels, unwanted))
}

/// Whether what was created then was there at `until`; what nobody knows the age of was not.
pub(super) fn is_old(created: Option<SystemTime>, until: Option<SystemTime>) -> bool {
    until.is_none_or(|until| created.is_some_and(|created| created <= until))
}

/// The filter `until`; `None`: it is not given.
///
/// # Errors
/// It is no time, or there are several.
pub(super) fn until(filters: &Filters) -> Result<Option<SystemTime>, EngineError> {
    let values = filters.get("until").map_or(&[][..], Vec::as_slice);
    match values {
        [] => Ok(None),
        [value] => {
            let seconds: Option<f64> = value.parse().ok();
            let since = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let until = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
            let wrong = || EngineError::Invalid(format!("invalid filter 'until={value}'"));
            until.map(Some).ok_or_else(wrong)
        }
        _ => Err(EngineError::Invalid(
            "more than one until filter specified".to_owned(),
        )),
    }
}

/// Whether a truth value is among the values of a filter; `None`: it is not given.
pub(super) fn truth(filters: &Filters, name: &str) -> Option<bool> {
    let value = filters.get(name)?.first()?;
    Some(matches!(value.as_str(), "true" | "1"))
}

/// Docker's patterns of references: of the name, or of the name and the tag; `*` stays between slashes.
pub(super) fn matches_reference(reference: &str, pattern: &str) -> bool {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let Ok(glob) = glob.map(|glob| glob.compile_matcher()) else {
        return false;
    };
    let name = reference
        .rsplit_once(':')
        .map_or(reference, |(name, _)| name);
    glob.is_match(reference) || glob.is_match(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_match_with_and_without_their_tag() {
        for pattern in ["busybox", "busybox:1", "busy*", "busybox:*", "*:1"] {
            assert!(matches_reference("busybox:1", pattern), "{pattern}");
        }
        for pattern in ["busy", "busybox:2", "*/*", "["] {
            assert!(!matches_reference("busybox:1", pattern), "{pattern}");
        }
        assert!(matches_reference("example.org/team/app:2", "*/*/app"));
    }

    #[test]
    fn all_labels_are_wanted() {
        let labels = HashMap::from([("a".to_owned(), "1".to_owned())]);
        let wanted = |list: &[&str]| {
            let list = list.iter().map(|&one| one.to_owned()).collect();
            has_labels(&labels, &Filters::from([("label".to_owned(), list)]))
        };
        assert!(wanted(&[]) && wanted(&["a"]) && wanted(&["a=1", "a"]));
        assert!(!wanted(&["a=2"]) && !wanted(&["a", "b"]));
        assert!(has_labels(&labels, &Filters::new()));
        let lets_go = |list: &[&str]| {
            let list = list.iter().map(|&one| one.to_owned()).collect();
            lets_go(&labels, &Filters::from([("label!".to_owned(), list)]))
        };
        assert!(lets_go(&[]) && lets_go(&["a=2"]) && lets_go(&["b"]));
        assert!(!lets_go(&["a"]) && !lets_go(&["b", "a=1"]));
    }

    #[test]
    fn what_is_older_may_go() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let until = |values: &[&str]| {
            let values = values.iter().map(|&one| one.to_owned()).collect();
            until(&Filters::from([("until".to_owned(), values)]))
        };
        assert_eq!(until(&["12.000000000"]).ok(), Some(at(12)));
        assert_eq!(until(&[]).ok(), Some(None));
        assert!(until(&["soon"]).is_err() && until(&["1", "2"]).is_err());
        assert!(is_old(at(12), at(12)) && is_old(at(1), at(12)) && is_old(None, None));
        assert!(!is_old(at(13), at(12)) && !is_old(None, at(12)));
    }
}
