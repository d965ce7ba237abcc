//! The file as a tree whose every value knows its key path.

use toml::de::{DeTable, DeValue};

use super::key::Key;
use super::problems::Problems;
use crate::config::did_you_mean;

/// A value and where it is.
#[derive(Clone)]
pub(super) struct Node<'t> {
    pub(super) path: String,
    value: &'t DeValue<'t>,
}

/// A table all of whose keys are known.
#[derive(Clone)]
pub(super) struct Table<'t> {
    pub(super) path: String,
    keys: &'static [Key],
    table: &'t DeTable<'t>,
}

impl<'t> Node<'t> {
    pub(super) fn new(path: String, value: &'t DeValue<'t>) -> Self {
        Self { path, value }
    }

    /// Text, or the text that a number or a truth value is written as.
    pub(super) fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.clone().into_owned()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&'t str> {
        self.value.as_str()
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// A whole number or a fraction.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self.value {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The elements of a list; `None` when it is none.
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        let elements = self.value.as_array()?.iter().enumerate();
        let element = |(index, value): (usize, &'t toml::Spanned<DeValue<'t>>)| {
            Self::new(format!("{}[{index}]", self.path), value.get_ref())
        };
        Some(elements.map(element).collect())
    }

    /// The elements of a list that must be one.
    pub(super) fn list(&self, expected: &str, problems: &mut Problems) -> Option<Vec<Self>> {
        let elements = self.elements();
        if elements.is_none() {
            self.wrong(expected, problems);
        }
        elements
    }

    /// Every key of a table, as they stand in the file.
    pub(super) fn entries(&self) -> Option<Vec<(&'t str, Self)>> {
        let table = self.value.as_table()?;
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'t toml::Spanned<_>, &'t toml::Spanned<DeValue<'t>>)| {
            let key: &'t std::borrow::Cow<'t, str> = key.get_ref();
            let path = child(&self.path, key);
            (key.as_ref(), Self::new(path, value.get_ref()))
        };
        Some(entries.into_iter().map(entry).collect())
    }

    /// This as a table with these keys and no others.
    pub(super) fn table(&self, keys: &'static [Key], problems: &mut Problems) -> Option<Table<'t>> {
        let Some(table) = self.value.as_table() else {
            let names: Vec<&str> = keys.iter().map(|key| key.name).take(3).collect();
            self.wrong(&format!("a table with `{}`", names.join("`, `")), problems);
            return None;
        };
        let table = Table {
            path: self.path.clone(),
            keys,
            table,
        };
        table.refuse_unknown(problems);
        Some(table)
    }

    /// Says that something else is expected here.
    pub(super) fn wrong(&self, expected: &str, problems: &mut Problems) {
        problems.at(
            &self.path,
            format!("expected {expected}, not {}", self.shown()),
        );
    }

    fn shown(&self) -> String {
        match self.value {
            DeValue::Table(_) => "a table".into(),
            DeValue::Array(_) => "a list".into(),
            DeValue::Datetime(_) => "a date".into(),
            DeValue::String(text) => format!("`\"{text}\"`"),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                format!("`{}`", self.scalar().unwrap_or_default())
            }
        }
    }
}

impl<'t> Table<'t> {
    pub(super) fn of_document(
        keys: &'static [Key],
        table: &'t DeTable<'t>,
        problems: &mut Problems,
    ) -> Self {
        let table = Self {
            path: String::new(),
            keys,
            table,
        };
        table.refuse_unknown(problems);
        table
    }

    /// The value of one of its keys.
    pub(super) fn get(&self, name: &str) -> Option<Node<'t>> {
        debug_assert!(self.keys.iter().any(|key| key.name == name), "{name}");
        let value = self.table.get(name)?;
        Some(Node::new(child(&self.path, name), value.get_ref()))
    }

    /// The value of a key that must be there.
    pub(super) fn require(
        &self,
        name: &str,
        why: &str,
        problems: &mut Problems,
    ) -> Option<Node<'t>> {
        let value = self.get(name);
        if value.is_none() {
            problems.at(&self.path, format!("`{name}` is missing: {why}"));
        }
        value
    }

    /// Its keys that are given, in the order of the reference.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let names = self.keys.iter().map(|key| key.name);
        names
            .filter(|name| self.table.contains_key(*name))
            .collect()
    }

    fn refuse_unknown(&self, problems: &mut Problems) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.keys.iter().any(|key| key.name == name) {
                continue;
            }
            // `cpu.max = …` is, to TOML, the key `max` of a table `cpu`.
            let parts = self.keys.iter().find(|key| {
                let rest = key.name.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with('.'))
            });
            let what = match parts {
                Some(key) => format!("write the name in quotes: `\"{}\" = …`", key.name),
                None => {
                    let known = self.keys.iter().map(|key| key.name);
                    format!("unknown key{}", did_you_mean(name, known))
                }
            };
            problems.at(child(&self.path, name), what);
        }
    }
}

/// Keys that TOML would take apart, or refuse, are quoted as they are in the file.
pub(in crate::policy) fn child(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
