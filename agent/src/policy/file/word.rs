//! Single values: words, numbers, times, patterns, names.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use super::node::{Node, Table};
use super::problems::Problems;
use crate::config::did_you_mean;
use crate::policy::Pattern;
use crate::policy::units::{TimeSpan, UnitError};

/// One of the words of an enum, as serde knows them.
pub(super) fn word<'t, T: Deserialize<'t>>(node: &Node<'t>, problems: &mut Problems) -> Option<T> {
    let Some(text) = node.as_str() else {
        node.wrong(&format!("one of {}", listed(words::<T>())), problems);
        return None;
    };
    match parse_word(text) {
        Ok(word) => Some(word),
        Err(known) => {
            let mut hint = did_you_mean(text, known.iter().copied());
            if hint.is_empty() {
                hint = format!("; known are {}", listed(known));
            }
            problems.at(&node.path, format!("unknown word `{text}`{hint}"));
            None
        }
    }
}

/// The enum's value of this name, or all names.
pub(super) fn parse_word<'t, T: Deserialize<'t>>(
    text: &'t str,
) -> Result<T, &'static [&'static str]> {
    let deserializer: StrDeserializer<'t, Unknown> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|Unknown(known)| known)
}

/// Every word of an enum.
pub(in crate::policy) fn words<'t, T: Deserialize<'t>>() -> &'static [&'static str] {
    parse_word::<T>("").err().unwrap_or_default()
}

/// As `` `a`, `b` ``.
pub(super) fn listed(words: &[&str]) -> String {
    format!("`{}`", words.join("`, `"))
}

/// Text, or a number written without its unit, as a quantity.
pub(super) fn quantity<T: FromStr<Err = UnitError>>(
    node: &Node<'_>,
    problems: &mut Problems,
) -> Option<T> {
    let Some(text) = node.scalar() else {
        node.wrong("a quantity with its unit, in quotes", problems);
        return None;
    };
    match text.parse() {
        Ok(quantity) => Some(quantity),
        Err(error) => {
            problems.at(&node.path, error.to_string());
            None
        }
    }
}

/// A rate that a key of the table caps; `"max"` caps nothing.
pub(super) fn cap<T>(
    table: &Table<'_>,
    name: &str,
    problems: &mut Problems,
    number: fn(T) -> u64,
) -> Option<u64>
where
    T: FromStr<Err = UnitError>,
{
    let node = table
        .get(name)
        .filter(|node| node.as_str() != Some("max"))?;
    let rate = number(quantity(&node, problems)?);
    if rate == 0 {
        problems.at(
            &node.path,
            "0 would stop it; write at least 1, or freeze it for a time",
        );
        return None;
    }
    Some(rate)
}

/// A length of time within bounds.
pub(super) fn time(
    node: &Node<'_>,
    (shortest, longest): (Duration, Duration),
    problems: &mut Problems,
) -> Option<Duration> {
    let TimeSpan(time) = quantity(node, problems)?;
    if (shortest..=longest).contains(&time) {
        return Some(time);
    }
    let what = format!(
        "{} is out of range: {} to {}",
        TimeSpan(time),
        TimeSpan(shortest),
        TimeSpan(longest)
    );
    problems.at(&node.path, what);
    None
}

pub(super) fn truth(node: &Node<'_>, problems: &mut Problems) -> Option<bool> {
    let truth = node.as_bool();
    if truth.is_none() {
        node.wrong("`true` or `false`", problems);
    }
    truth
}

/// A whole number within bounds.
pub(super) fn whole<T>(node: &Node<'_>, (least, most): (T, T), problems: &mut Problems) -> Option<T>
where
    T: TryFrom<i64> + PartialOrd + fmt::Display + Copy,
{
    let number = node
        .as_integer()
        .and_then(|number| T::try_from(number).ok());
    let number = number.filter(|number| (least..=most).contains(number));
    if number.is_none() {
        node.wrong(&format!("a whole number from {least} to {most}"), problems);
    }
    number
}

/// Text that is not empty.
pub(super) fn text<'t>(
    node: &Node<'t>,
    expected: &str,
    problems: &mut Problems,
) -> Option<&'t str> {
    let text = node.as_str().filter(|text| !text.trim().is_empty());
    if text.is_none() {
        node.wrong(expected, problems);
    }
    text
}

/// The name of a policy or a rule.
pub(super) fn name<'t>(node: &Node<'t>, problems: &mut Problems) -> Option<&'t str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = node
        .as_str()
        .filter(|name| !name.is_empty() && name.chars().all(fine));
    if name.is_none() {
        node.wrong("a name of letters, digits, `-`, `_` and `.`", problems);
    }
    name
}

/// One value or a list of them, which is then not empty.
pub(super) fn several<'t, T>(
    node: &Node<'t>,
    problems: &mut Problems,
    mut read: impl FnMut(&Node<'t>, &mut Problems) -> Option<T>,
) -> Vec<T> {
    match node.elements() {
        None => read(node, problems).into_iter().collect(),
        Some(elements) => {
            if elements.is_empty() {
                problems.at(
                    &node.path,
                    "an empty list matches nothing; name at least one",
                );
            }
            let read = elements.iter().filter_map(|node| read(node, problems));
            read.collect()
        }
    }
}

pub(super) fn pattern(node: &Node<'_>, problems: &mut Problems) -> Option<Pattern> {
    let text = text(node, "a name or a pattern such as `web-*`", problems)?;
    parsed(node, text, problems)
}

/// A pattern over cgroup paths.
pub(super) fn path_pattern(node: &Node<'_>, problems: &mut Problems) -> Option<Pattern> {
    let expected = "a cgroup path such as `/system.slice/**`";
    let text = text(node, expected, problems)?;
    if !text.starts_with('/') {
        let what = format!("a cgroup path begins with `/`; write `/{text}`, or `/**/{text}`");
        problems.at(&node.path, what);
        return None;
    }
    if text.len() > 1 && text.ends_with('/') {
        let fixed = text.trim_end_matches('/');
        let what =
            format!("no cgroup path ends with `/`; write `{fixed}`, or `{fixed}/**` for all below");
        problems.at(&node.path, what);
        return None;
    }
    parsed(node, text, problems)
}

fn parsed(node: &Node<'_>, text: &str, problems: &mut Problems) -> Option<Pattern> {
    match text.parse() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            problems.at(&node.path, format!("no pattern: {error}"));
            None
        }
    }
}

/// What serde says of a word that an enum does not have: all that it has.
#[derive(Debug)]
struct Unknown(&'static [&'static str]);

impl serde::de::Error for Unknown {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self(known)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(self.0))
    }
}

impl std::error::Error for Unknown {}
