//! Filters of lists of images, networks and volumes.

use std::collections::HashMap;

use globset::GlobBuilder;

use super::EngineError;
use super::filter::Filters;

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
    let wanted = filters.get("label").into_iter().flatten();
    wanted
        .into_iter()
        .all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
            None => labels.contains_key(wanted),
        })
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
    }
}
