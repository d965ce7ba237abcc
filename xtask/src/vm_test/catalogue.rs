//! Which kernels there are to test: `xtask/kernels.toml`.

use std::collections::BTreeMap;
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
    #[serde(default)]
    privileged: Vec<String>,
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    /// By world: what no kernel can run there.
    skips: BTreeMap<World, Vec<String>>,
    /// By world: parts of the names of privileged tests that run on every kernel.
    privileged: BTreeMap<World, Vec<String>>,
    kernel: Vec<Entry>,
}

impl Catalogue {
    pub(super) fn read() -> Result<Self> {
        let text = fs::read_to_string(workspace::root().join(FILE))
            .with_context(|| format!("cannot read {FILE}"))?;
        toml::from_str(&text).with_context(|| format!("{FILE} is wrong"))
    }

    /// The kernels of these names; all of them when none is named.
    pub(super) fn entries(&self, names: &[String]) -> Result<Vec<Entry>> {
        if names.is_empty() {
            return Ok(self.kernel.clone());
        }
        names.iter().map(|name| named(&self.kernel, name)).collect()
    }

    /// Tests that are expected to skip themselves on that kernel in that world.
    pub(super) fn expected_skips<'a>(&'a self, entry: &'a Entry, world: World) -> Vec<&'a str> {
        both(&self.skips, &entry.expected_skips, world)
    }

    /// Parts of the names of privileged tests that run on that kernel in that world, unless
    /// others are asked for.
    pub(super) fn privileged<'a>(&'a self, entry: &'a Entry, world: World) -> Vec<&'a str> {
        both(&self.privileged, &entry.privileged, world)
    }
}

/// What is listed for a world, and what for a kernel in that world.
fn both<'a>(
    worlds: &'a BTreeMap<World, Vec<String>>,
    kernel: &'a [String],
    world: World,
) -> Vec<&'a str> {
    let of_world = worlds.get(&world).into_iter().flatten();
    of_world
        .map(String::as_str)
        .chain(of(kernel, world))
        .collect()
}

/// Lines without a world, and those of this one without its name.
fn of(lines: &[String], world: World) -> impl Iterator<Item = &str> {
    lines
        .iter()
        .filter_map(move |line| match line.split_once(": ") {
            Some((of, what)) => (of == world.name()).then_some(what),
            None => Some(line.as_str()),
        })
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
impl Entry {
    /// One that only says which kernel it means.
    pub(super) fn of_suite(series: &str, suite: &str) -> Self {
        Self {
            name: series.to_owned(),
            series: series.to_owned(),
            suites: vec![suite.to_owned()],
            required: false,
            worlds: Vec::new(),
            expected_skips: Vec::new(),
            privileged: Vec::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_file_parses_and_has_what_is_required() {
        let catalogue = Catalogue::read().unwrap();
        let all = catalogue.entries(&[]).unwrap();
        for name in ["6.1", "6.12"] {
            assert!(
                all.iter().any(|entry| entry.name == name && entry.required),
                "{name}"
            );
        }
        let ad_hoc = catalogue.entries(&["7.2".to_owned()]).unwrap();
        assert_eq!(ad_hoc[0].series, "7.2");
        assert!(ad_hoc[0].required);
        assert!(catalogue.entries(&["six".to_owned()]).is_err());
    }

    #[test]
    fn a_line_may_be_of_one_world() {
        let worlds = BTreeMap::from([(World::V1, vec!["w".to_owned()])]);
        let kernel = ["a".to_owned(), "v1: m::b".to_owned()];
        assert_eq!(both(&worlds, &kernel, World::V2), ["a"]);
        assert_eq!(both(&worlds, &kernel, World::V1), ["w", "a", "m::b"]);
    }
}
