//! The query strings, typed: written by the client, read by the server.

use std::str::FromStr;
use std::time::Duration;

use super::filter::{Filter, Filterable, Term};
use super::types::{Event, Kind, Life, Workload};

/// Of `/v1/workloads`.
#[derive(Clone, Debug, Default)]
pub struct WorkloadQuery {
    /// Slices, sandboxes, bare cgroups, the host and the dead too.
    pub all: bool,
    pub filter: Filter<Workload>,
}

/// Of `/v1/events`.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// `None`: all that is remembered; with `follow`, from now.
    pub since: Option<Since>,
    /// Wait for more.
    pub follow: bool,
    pub filter: Filter<Event>,
}

/// From where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// After the event with this number.
    Sequence(u64),
    /// Not older than this.
    Ago(Duration),
}

impl WorkloadQuery {
    /// Is this workload asked for?
    #[must_use]
    pub fn matches(&self, workload: &Workload) -> bool {
        // A filter for a kind or state that is left out by default asks for it.
        let kind = matches!(
            workload.identity.kind,
            Kind::Container | Kind::Pod | Kind::Machine | Kind::Unit
        ) || self.filter.has_key("kind");
        let life = !matches!(workload.life, Life::Dead { .. }) || self.filter.has_key("state");
        (self.all || (kind && life)) && self.filter.matches(workload)
    }

    pub(super) fn to_query(&self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        if self.all {
            pairs.append_pair("all", "true");
        }
        pairs.extend_pairs(self.filter.terms().map(|term| ("filter", term)));
        pairs.finish()
    }

    pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, String> {
        let mut query = Self::default();
        let mut terms = Vec::new();
        for (key, value) in pairs {
            match key.as_str() {
                "all" => query.all = flag(&key, &value)?,
                "filter" => terms.push(term(&value)?),
                _ => return Err(format!("unknown parameter `{key}`; expected all, filter")),
            }
        }
        query.filter = terms.into_iter().collect();
        Ok(query)
    }
}

impl EventQuery {
    pub(super) fn to_query(&self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        match self.since {
            Some(Since::Sequence(sequence)) => {
                pairs.append_pair("since", &sequence.to_string());
            }
            Some(Since::Ago(ago)) => {
                pairs.append_pair("since", &humantime::format_duration(ago).to_string());
            }
            None => {}
        }
        if self.follow {
            pairs.append_pair("follow", "true");
        }
        pairs.extend_pairs(self.filter.terms().map(|term| ("filter", term)));
        pairs.finish()
    }

    pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, String> {
        let mut query = Self::default();
        let mut terms = Vec::new();
        for (key, value) in pairs {
            match key.as_str() {
                "since" => query.since = Some(value.parse().map_err(|e| format!("since: {e}"))?),
                "follow" => query.follow = flag(&key, &value)?,
                "filter" => terms.push(term(&value)?),
                _ => {
                    let what = "expected since, follow, filter";
                    return Err(format!("unknown parameter `{key}`; {what}"));
                }
            }
        }
        query.filter = terms.into_iter().collect();
        Ok(query)
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(sequence));
        }
        humantime::parse_duration(text)
            .map(Self::Ago)
            .map_err(|_| format!("`{text}` is neither an event's number nor a duration (`10m`)"))
    }
}

fn flag(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{key}: `{value}` is neither true nor false")),
    }
}

fn term<T: Filterable>(text: &str) -> Result<Term<T>, String> {
    text.parse().map_err(|error| format!("filter: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    #[test]
    fn queries_survive_the_way() {
        let query = EventQuery {
            since: Some(Since::Ago(Duration::from_secs(90))),
            follow: true,
            filter: ["class=oom", "workload=a b&c"]
                .map(|t| t.parse().unwrap())
                .into_iter()
                .collect(),
        };
        let back = EventQuery::from_pairs(pairs(&query.to_query())).unwrap();
        assert_eq!(format!("{back:?}"), format!("{query:?}"));

        let query = WorkloadQuery {
            all: true,
            filter: ["label=app=web", "runtime=docker"]
                .map(|t| t.parse().unwrap())
                .into_iter()
                .collect(),
        };
        let back = WorkloadQuery::from_pairs(pairs(&query.to_query())).unwrap();
        assert_eq!(format!("{back:?}"), format!("{query:?}"));
    }

    #[test]
    fn since_is_a_number_or_a_duration() {
        assert_eq!("17".parse(), Ok(Since::Sequence(17)));
        assert_eq!("2h 5m".parse(), Ok(Since::Ago(Duration::from_secs(7_500))));
        assert!("yesterday".parse::<Since>().is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let mistake = |query| EventQuery::from_pairs(pairs(query)).unwrap_err();
        assert_eq!(
            mistake("folow=1"),
            "unknown parameter `folow`; expected since, follow, filter"
        );
        assert_eq!(
            mistake("follow=maybe"),
            "follow: `maybe` is neither true nor false"
        );
        assert!(mistake("filter=class%3Dx").starts_with("filter: `x` is none of cgroup,"));
        assert!(mistake("since=x").starts_with("since: `x` is neither"));
    }
}
