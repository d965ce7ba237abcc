//! From the file to a valid configuration, or to the list of everything that is wrong.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::error::{ConfigErrors, Problem};
use super::keys::{self, Section};
use super::limits;
use super::schema::Config;

/// Read when no path is given; may be absent.
pub const DEFAULT_PATH: &str = "/etc/plimsoll/plimsoll.toml";

/// Least similarity (Jaro-Winkler) of a known key that is offered for an unknown one.
const DID_YOU_MEAN: f64 = 0.8;

/// Reads and checks a file. With `None`: [`DEFAULT_PATH`], or all defaults when that is absent.
///
/// # Errors
/// Every problem of the file: that it cannot be read, its first syntax error, or all unknown keys,
/// wrong types and values out of range.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigErrors> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    let problems = match fs::read_to_string(file) {
        Ok(text) => match parse(&text) {
            Ok(config) => return Ok(config),
            Err(problems) => problems,
        },
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => {
            return Ok(Config::default());
        }
        Err(error) => vec![Problem::of_file(format!("cannot be read: {error}"))],
    };
    Err(ConfigErrors {
        path: PathBuf::from(file),
        problems,
    })
}

/// Where a configuration comes from: a file, and what the command line puts above it. Kept by a
/// running agent, so that a reload reads the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// As for [`load`].
    pub path: Option<PathBuf>,
    /// Goes before `agent.socket`.
    pub socket: Option<PathBuf>,
}

impl Source {
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        let mut config = load(self.path.as_deref())?;
        if let Some(socket) = &self.socket {
            config.agent.socket.clone_from(socket);
        }
        Ok(config)
    }
}

/// Checks the text of a file.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let table: Table = text.parse().map_err(|error| vec![syntax(text, &error)])?;
    let mut problems = Vec::new();
    let mut good = keys::defaults();
    let sections = keys::sections();
    for (name, value) in table {
        match sections.iter().find(|section| section.name == name) {
            Some(section) => read_section(section, value, &mut good, &mut problems),
            None => {
                let known = sections.iter().map(|section| section.name.as_str());
                let kind = if value.is_table() { "section" } else { "key" };
                let what = format!("unknown {kind}{}", did_you_mean(&name, known));
                problems.push(Problem::at(name, what));
            }
        }
    }
    // Each value that is in `good` was accepted on its own.
    let config = match deserialize(good) {
        Ok(config) => config,
        Err((path, what)) => {
            problems.push(Problem::at(path, what));
            return Err(problems);
        }
    };
    let refused: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.place.clone())
        .collect();
    let in_doubt = |place: &str| {
        // A refused tick says nothing of how idle_refresh compares to it.
        refused.iter().any(|refused| refused == place)
            || (place == "agent.idle_refresh" && refused.iter().any(|key| key == "agent.tick"))
    };
    let out_of_range = limits::check(&config).into_iter();
    problems.extend(out_of_range.filter(|problem| !problem.place.as_deref().is_some_and(in_doubt)));
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

/// Tries every key of one section on its own over the defaults, and keeps it in `good` if it fits.
fn read_section(section: &Section, value: Value, good: &mut Table, problems: &mut Vec<Problem>) {
    let name = &section.name;
    let Value::Table(table) = value else {
        let what = format!("expected a section, `[{name}]`, not {}", shown(&value));
        problems.push(Problem::at(name, what));
        return;
    };
    for (key, value) in table {
        let place = format!("{name}.{key}");
        let Some(known) = section.keys.iter().find(|known| known.name == key) else {
            let keys = section.keys.iter().map(|known| known.name.as_str());
            let what = format!("unknown key{}", did_you_mean(&key, keys));
            problems.push(Problem::at(place, what));
            continue;
        };
        let mut trial = keys::defaults();
        set(&mut trial, name, &key, value.clone());
        match deserialize(trial) {
            Ok(_) => set(good, name, &key, value),
            Err((place, what)) => {
                let what = format!(
                    "{what}, not {}; for example {}",
                    shown(&value),
                    known.default
                );
                problems.push(Problem::at(place, what));
            }
        }
    }
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(section)) = table.get_mut(section) {
        section.insert(key.to_owned(), value);
    }
}

/// The error is the key path and what was expected there.
fn deserialize(table: Table) -> Result<Config, (String, String)> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(Value::Table(table), &mut track);
    Config::deserialize(deserializer)
        .map_err(|error| (track.path().to_string(), expectation(error.message())))
}

/// serde's message in the words of someone who writes the file. serde says `invalid type: A, expected
/// B`; the caller adds the value as it stands in the file, so that only B is kept.
fn expectation(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    match first.rsplit_once("expected ") {
        Some((_, "usize")) => "expected a whole number, 0 or more".into(),
        Some((_, "path string")) => "expected a path".into(),
        Some((_, "a boolean")) => "expected `true` or `false`".into(),
        Some((_, "a sequence")) => "expected a list".into(),
        Some((_, expected)) => format!("expected {expected}"),
        None => first.to_owned(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".into(),
        other => format!("`{other}`"),
    }
}

/// `; did you mean `known`?` where one is like `name`, else nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let scored = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, known)) if score >= DID_YOU_MEAN => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let what = error.message().trim().replace('\n', ", ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return Problem::of_file(what);
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Problem::at(format!("line {line}, column {column}"), what)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
