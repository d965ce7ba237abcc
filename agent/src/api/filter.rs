//! `--filter key=value`, on both sides of the socket. Terms with the same key are alternatives,
//! terms with different keys must all hold, as Docker has it.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::{Error as WordError, StrDeserializer};
use serde::{Deserialize, de::IntoDeserializer};

use super::name::display_name;
use super::types::{Event, EventKind, Kind, Life, Runtime, Workload};

/// Characters from which on a filter's workload may be part of a cgroup path: a short container id.
const PART_OF_PATH: usize = 12;

/// What can be filtered.
pub trait Filterable: 'static {
    /// The keys that exist.
    const KEYS: &'static [&'static str];

    /// Says why `value` can never match `key`.
    ///
    /// # Errors
    /// What is expected.
    fn check(key: &str, value: &str) -> Result<(), String>;

    /// Does it match? `key` is one of [`Self::KEYS`].
    fn has(&self, key: &str, value: &str) -> bool;
}

/// One `key=value`.
pub struct Term<T> {
    key: &'static str,
    value: String,
    subject: PhantomData<fn(&T)>,
}

/// Several terms; without any, everything matches.
pub struct Filter<T> {
    terms: Vec<Term<T>>,
}

impl<T: Filterable> Filter<T> {
    /// Does `subject` match every key?
    #[must_use]
    pub fn matches(&self, subject: &T) -> bool {
        T::KEYS.iter().all(|key| {
            let mut values = self.terms.iter().filter(|term| term.key == *key).peekable();
            values.peek().is_none() || values.any(|term| subject.has(term.key, &term.value))
        })
    }

    /// Is there a term with this key?
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.terms.iter().any(|term| term.key == key)
    }

    /// The terms as they are written.
    pub fn terms(&self) -> impl Iterator<Item = String> {
        self.terms.iter().map(ToString::to_string)
    }
}

impl<T: Filterable> FromStr for Term<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys = || T::KEYS.join(", ");
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("expected KEY=VALUE; keys are {}", keys()))?;
        let known = T::KEYS.iter().find(|known| **known == key);
        let key = known.ok_or_else(|| format!("unknown key `{key}`; keys are {}", keys()))?;
        T::check(key, value)?;
        Ok(Self {
            key,
            value: value.to_owned(),
            subject: PhantomData,
        })
    }
}

impl<T> fmt::Display for Term<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

// Derived ones would ask the same of `T`, of which there is nothing inside.
impl<T> fmt::Debug for Term<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> Clone for Term<T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key,
            value: self.value.clone(),
            subject: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.terms).finish()
    }
}

impl<T> Clone for Filter<T> {
    fn clone(&self) -> Self {
        self.terms.iter().cloned().collect()
    }
}

impl<T> Default for Filter<T> {
    fn default() -> Self {
        Self { terms: Vec::new() }
    }
}

impl<T> FromIterator<Term<T>> for Filter<T> {
    fn from_iter<I: IntoIterator<Item = Term<T>>>(terms: I) -> Self {
        Self {
            terms: terms.into_iter().collect(),
        }
    }
}

impl Filterable for Workload {
    const KEYS: &'static [&'static str] = &[
        "runtime",
        "kind",
        "state",
        "name",
        "image",
        "label",
        "pod",
        "namespace",
    ];

    fn check(key: &str, value: &str) -> Result<(), String> {
        match key {
            "runtime" => word::<Runtime>(value).map(drop),
            "kind" => word::<Kind>(value).map(drop),
            "state" => one_of(&["alive", "frozen", "dead"], value),
            _ => Ok(()),
        }
    }

    fn has(&self, key: &str, value: &str) -> bool {
        let identity = &self.identity;
        let is = |text: &Option<String>| text.as_deref() == Some(value);
        match key {
            "runtime" => word::<Runtime>(value) == Ok(identity.runtime),
            "kind" => word::<Kind>(value) == Ok(identity.kind),
            "state" => {
                value
                    == match self.life {
                        Life::Alive => "alive",
                        Life::Frozen => "frozen",
                        Life::Dead { .. } => "dead",
                    }
            }
            "name" => is(&identity.name) || display_name(identity) == value,
            "image" => is(&identity.image),
            "pod" => is(&identity.pod),
            "namespace" => is(&identity.namespace),
            "label" => match value.split_once('=') {
                Some((name, value)) => identity.labels.get(name).is_some_and(|has| has == value),
                None => identity.labels.contains_key(value),
            },
            _ => false,
        }
    }
}

impl Filterable for Event {
    const KEYS: &'static [&'static str] = &["class", "event", "workload"];

    fn check(key: &str, value: &str) -> Result<(), String> {
        match key {
            "class" => one_of(&EventKind::CLASSES, value),
            "event" => one_of(&EventKind::NAMES, value),
            _ => Ok(()),
        }
    }

    fn has(&self, key: &str, value: &str) -> bool {
        match key {
            "class" => self.kind.class() == value,
            "event" => self.kind.name() == value,
            "workload" => {
                let path = self.workload.as_deref().unwrap_or_default();
                path == value
                    || self.name.as_deref() == Some(value)
                    || (value.len() >= PART_OF_PATH && path.contains(value))
            }
            _ => false,
        }
    }
}

fn one_of(words: &[&str], value: &str) -> Result<(), String> {
    if words.contains(&value) {
        Ok(())
    } else {
        Err(format!("`{value}` is none of {}", words.join(", ")))
    }
}

/// The enum's own names, as serde knows them.
fn word<'a, T: Deserialize<'a>>(value: &'a str) -> Result<T, String> {
    let value: StrDeserializer<'a, WordError> = value.into_deserializer();
    T::deserialize(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::SystemTime;

    use super::*;

    fn filter(terms: &[&str]) -> Filter<Event> {
        terms.iter().map(|term| term.parse().unwrap()).collect()
    }

    fn oom(path: &str, name: Option<&str>) -> Event {
        Event {
            sequence: 1,
            time: SystemTime::UNIX_EPOCH,
            workload: Some(path.into()),
            name: name.map(Into::into),
            kind: EventKind::OomKill {
                tgid: 1,
                comm: "sh".into(),
            },
        }
    }

    #[test]
    fn same_keys_are_alternatives_and_different_keys_all_hold() {
        let event = oom("/docker/0123456789abcdef", Some("web"));
        assert!(filter(&[]).matches(&event));
        assert!(filter(&["class=cgroup", "class=oom"]).matches(&event));
        assert!(!filter(&["class=cgroup", "event=oom_kill"]).matches(&event));
        assert!(filter(&["class=oom", "workload=web"]).matches(&event));
        assert!(filter(&["workload=0123456789ab"]).matches(&event));
        assert!(!filter(&["workload=0123"]).matches(&event));
        assert!(!filter(&["workload=db"]).matches(&event));
    }

    #[test]
    fn mistakes_are_named() {
        let mistake = |text: &str| text.parse::<Term<Event>>().unwrap_err();
        assert_eq!(
            mistake("oom"),
            "expected KEY=VALUE; keys are class, event, workload"
        );
        assert_eq!(
            mistake("clas=oom"),
            "unknown key `clas`; keys are class, event, workload"
        );
        assert_eq!(
            mistake("class=omm"),
            "`omm` is none of cgroup, namespace, process, oom, policy, lost"
        );
        let mistake = "runtime=dokcer".parse::<Term<Workload>>().unwrap_err();
        assert!(mistake.starts_with("unknown variant `dokcer`, expected one of `docker`,"));
        assert!("runtime=cri-o".parse::<Term<Workload>>().is_ok());
    }
}
