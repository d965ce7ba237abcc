//! Which kernels there are to test: `xtask/kernels.toml`.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::protocol::World;
use crate::workspace;

const FILE: &str = "xtask/kernels.toml";
/// Entry whose series and name are found out at run time.
pub(super) const NEWEST: &str = "newest";

/// One kernel to boot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) series: String,
    pub(super) suites: Vec<String>,
    pub(super) required: bool,
    pub(super) worlds: Vec<World>,
    #[serde(default)]
    expected_skips: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    kernel: Vec<Entry>,
}

impl Entry {
    /// Tests that this kernel is expected to skip in that world.
    pub(super) fn expected_skips(&self, world: World) -> Vec<&str> {
        self.expected_skips
            .iter()
            .filter_map(|skip| match skip.split_once(": ") {
                Some((of, test)) => (of == world.name()).then_some(test),
                None => Some(skip.as_str()),
            })
            .collect()
    }
}

/// The kernels of these names, in the catalogue's order; all of them when none is named.
pub(super) fn entries(names: &[String]) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(workspace::root().join(FILE))
        .with_context(|| format!("cannot read {FILE}"))?;
    let catalogue: Catalogue = toml::from_str(&text).with_context(|| format!("{FILE} is wrong"))?;
    select(&catalogue.kernel, names)
}

fn select(all: &[Entry], names: &[String]) -> Result<Vec<Entry>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    names.iter().map(|name| named(all, name)).collect()
}

/// A series that the catalogue does not name is looked for where the newest is.
fn named(all: &[Entry], name: &str) -> Result<Entry> {
    if let Some(entry) = all.iter().find(|entry| entry.name == name) {
        return Ok(entry.clone());
    }
    let is_series =
        name.split('.').count() == 2 && name.split('.').all(|part| part.parse::<u32>().is_ok());
    match all.iter().find(|entry| entry.name == NEWEST) {
        Some(newest) if is_series => Ok(Entry {
            name: name.to_owned(),
            series: name.to_owned(),
            // It was asked for by name: not having it is a failure.
            required: true,
            ..newest.clone()
        }),
        _ => bail!(
            "{FILE} has no kernel {name}; it has {}",
            all.iter()
                .map(|entry| entry.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_file_parses_and_has_what_is_required() {
        let all = entries(&[]).unwrap();
        for name in ["6.1", "6.12"] {
            assert!(
                all.iter().any(|entry| entry.name == name && entry.required),
                "{name}"
            );
        }
        let ad_hoc = entries(&["7.2".to_owned()]).unwrap();
        assert_eq!(ad_hoc[0].series, "7.2");
        assert!(ad_hoc[0].required);
        assert!(entries(&["six".to_owned()]).is_err());
    }

    #[test]
    fn a_skip_may_be_of_one_world() {
        let entry = Entry {
            name: "x".to_owned(),
            series: "x".to_owned(),
            suites: Vec::new(),
            required: true,
            worlds: vec![World::V2],
            expected_skips: vec!["a".to_owned(), "v1: m::b".to_owned()],
        };
        assert_eq!(entry.expected_skips(World::V2), ["a"]);
        assert_eq!(entry.expected_skips(World::V1), ["a", "m::b"]);
    }
}
