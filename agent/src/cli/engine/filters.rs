//! `--filter`: what the engine is asked for.

use std::collections::BTreeMap;

use super::options::pair;

/// One `--filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) value: String,
}

impl std::str::FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains('=') {
            return Err(format!("`{text}` is no filter: NAME=VALUE"));
        }
        let (name, value) = pair(text)?;
        Ok(Self {
            name: name.trim().to_ascii_lowercase(),
            value: value.trim().to_owned(),
        })
    }
}

/// The parameter `filters`: each name with its values.
pub(super) fn encoded(filters: &[Filter]) -> String {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for filter in filters {
        values.entry(&filter.name).or_default().push(&filter.value);
    }
    serde_json::to_string(&values).unwrap_or_default()
}
