//! What a scrape says, taken apart.

use std::collections::{BTreeMap, BTreeSet};

/// One line of the text format.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) family: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All samples of one scrape.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
                .collect(),
        )
    }

    /// The only one of a family with all these labels.
    pub(crate) fn one(&self, family: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        let mut found = self
            .0
            .iter()
            .filter(|sample| sample.family == family && has(sample, labels));
        let first = found.next();
        assert!(found.next().is_none(), "two of {family}{labels:?}");
        first
    }

    /// The value of a container's series, by its name.
    pub(crate) fn of(&self, name: &str, family: &str) -> Option<f64> {
        Some(self.one(family, &[("name", name)])?.value)
    }

    /// The `id`s under which anything of this name is exported.
    pub(crate) fn ids(&self, name: &str) -> BTreeSet<String> {
        let named = self.0.iter().filter(|sample| sample.label("name") == name);
        named.map(|sample| sample.label("id").to_owned()).collect()
    }

    /// The `id`s that end so: all the cgroups of one container that are told apart.
    pub(crate) fn ids_ending(&self, end: &str) -> BTreeSet<&str> {
        let ids = self.0.iter().map(|sample| sample.label("id"));
        ids.filter(|id| id.ends_with(end)).collect()
    }

    /// The `device`s of a container's series.
    pub(crate) fn devices(&self, name: &str, family: &str) -> Vec<String> {
        let of_it = |sample: &&Sample| sample.family == family && sample.label("name") == name;
        let devices = self
            .0
            .iter()
            .filter(of_it)
            .map(|sample| sample.label("device"));
        devices.map(str::to_owned).collect()
    }

    /// Interfaces over which bytes of a container are told.
    pub(crate) fn interfaces(&self, name: &str) -> BTreeSet<&str> {
        let bytes = |sample: &&Sample| {
            sample.family.starts_with("container_network_")
                && sample.family.ends_with("_bytes_total")
        };
        let of_it = self
            .0
            .iter()
            .filter(bytes)
            .filter(|sample| sample.label("name") == name);
        of_it.map(|sample| sample.label("interface")).collect()
    }
}

fn has(sample: &Sample, labels: &[(&str, &str)]) -> bool {
    labels
        .iter()
        .all(|(name, value)| sample.label(name) == *value)
}

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (family, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    while let Some(pair) = rest.strip_prefix(['{', ',']) {
        let (name, value) = pair.split_once("=\"")?;
        let (value, after) = unescape(value)?;
        labels.insert(name.to_owned(), value);
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    let mut words = rest.split_whitespace();
    Some(Sample {
        family: family.to_owned(),
        labels,
        value: words.next()?.parse().ok()?,
    })
}

/// The text up to the closing quote, and what follows it.
fn unescape(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}
