//! Filters of `ps` and `prune`: all that are named have to hold, one value of each.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bollard::models::HealthStatusEnum;

use super::EngineError;
use super::model::{Phase, Record};
use super::name::{SHORT, instant};
use super::registry::Registry;
use super::status;

/// Filter's name to values, as the API has them.
pub type Filters = HashMap<String, Vec<String>>;

const LISTS: [&str; 14] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
];
const PRUNES: [&str; 3] = ["label", "label!", "until"];

pub(super) trait Filter {
    /// Are all filters known?
    fn check(&self) -> Result<(), EngineError>;
    /// Is it listed?
    fn lists(&self, record: &Record, registry: &Registry) -> Result<bool, EngineError>;
    /// Is it removed by `prune`?
    fn prunes(&self, record: &Record) -> Result<bool, EngineError>;
}

impl Filter for Filters {
    fn check(&self) -> Result<(), EngineError> {
        known(self, &[LISTS.as_slice(), &["volume"]].concat())?;
        for value in self.get("exited").into_iter().flatten() {
            value.parse::<i64>().map_err(|_| bad("exited", value))?;
        }
        for value in self.get("status").into_iter().flatten() {
            let words = [
                "created",
                "running",
                "paused",
                "restarting",
                "removing",
                "exited",
                "dead",
            ];
            if !words.contains(&value.as_str()) {
                return Err(bad("status", value));
            }
        }
        Ok(())
    }

    fn lists(&self, record: &Record, registry: &Registry) -> Result<bool, EngineError> {
        for (name, values) in self {
            if !values.is_empty() && !holds(name, values, record, registry)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn prunes(&self, record: &Record) -> Result<bool, EngineError> {
        known(self, &PRUNES)?;
        for (name, values) in self {
            let keeps = match name.as_str() {
                "label" => !values.iter().all(|value| has_label(record, value)),
                "label!" => values.iter().any(|value| has_label(record, value)),
                _ => {
                    let value = values.first().map_or("", String::as_str);
                    let until = until(value).ok_or_else(|| bad("until", value))?;
                    created(record).is_none_or(|created| created >= until)
                }
            };
            if keeps {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn known(filters: &Filters, names: &[&str]) -> Result<(), EngineError> {
    match filters.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(EngineError::Invalid(format!("invalid filter '{key}'"))),
        None => Ok(()),
    }
}

fn bad(name: &str, value: &str) -> EngineError {
    EngineError::Invalid(format!("invalid filter '{name}={value}'"))
}

fn holds(
    name: &str,
    values: &[String],
    record: &Record,
    registry: &Registry,
) -> Result<bool, EngineError> {
    let (settings, life) = (&record.settings, &record.life);
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
    Ok(match name {
        "id" => any(&|value| settings.id.as_str().starts_with(value)),
        "name" => any(&|value| matches_name(&settings.name, value)),
        "label" => values.iter().all(|value| has_label(record, value)),
        "status" => any(&|value| status::word(life) == value),
        "exited" => {
            life.phase == Phase::Exited && any(&|value| value.parse() == Ok(life.exit_code))
        }
        "ancestor" => any(&|value| is_image(record, value)),
        "health" => {
            let health = life.health.as_ref().and_then(|health| health.status);
            let health = health.unwrap_or(HealthStatusEnum::NONE).to_string();
            any(&|value| value == health)
        }
        "network" => {
            let mode = settings
                .host()
                .and_then(|host| host.network_mode.as_deref());
            let config = settings.body.networking_config.as_ref();
            let others = config.and_then(|config| config.endpoints_config.as_ref());
            any(&|value| {
                mode.unwrap_or("default") == value
                    || others.is_some_and(|others| others.contains_key(value))
            })
        }
        "volume" => any(&|value| has_volume(record, value)),
        "before" | "since" => {
            let value = values.first().map_or("", String::as_str);
            let other = created(&registry.resolve(value)?.record());
            let own = created(record);
            if name == "before" {
                own < other
            } else {
                own > other
            }
        }
        "publish" | "expose" => any(&|value| has_port(record, name, value)),
        "is-task" => any(&|value| matches!(value, "false" | "0")),
        _ => any(&|value| matches!(value, "default" | "")),
    })
}

/// A part of the name, `^` and `$` at its ends.
fn matches_name(name: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_prefix('/').unwrap_or(wanted);
    let (wanted, start) = match wanted.strip_prefix('^') {
        Some(rest) => (rest.strip_prefix('/').unwrap_or(rest), true),
        None => (wanted, false),
    };
    match (start, wanted.strip_suffix('$')) {
        (true, Some(exact)) => name == exact,
        (true, None) => name.starts_with(wanted),
        (false, Some(end)) => name.ends_with(end),
        (false, None) => name.contains(wanted),
    }
}

fn has_label(record: &Record, wanted: &str) -> bool {
    let labels = record.settings.body.labels.as_ref();
    match wanted.split_once('=') {
        Some((key, value)) => {
            labels
                .and_then(|labels| labels.get(key))
                .map(String::as_str)
                == Some(value)
        }
        None => labels.is_some_and(|labels| labels.contains_key(wanted)),
    }
}

fn is_image(record: &Record, wanted: &str) -> bool {
    let plain = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    let digest = record.settings.image.as_deref().unwrap_or_default();
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    let wanted_digest = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    plain(&record.settings.image_name()) == plain(wanted)
        || (wanted_digest.len() >= SHORT && digest.starts_with(wanted_digest))
}

fn has_volume(record: &Record, wanted: &str) -> bool {
    let host = record.settings.host();
    let binds = host.and_then(|host| host.binds.as_ref());
    let mounts = host.and_then(|host| host.mounts.as_ref());
    binds
        .into_iter()
        .flatten()
        .any(|bind| bind.split(':').take(2).any(|part| part == wanted))
        || mounts.into_iter().flatten().any(|mount| {
            mount.source.as_deref() == Some(wanted) || mount.target.as_deref() == Some(wanted)
        })
}

/// `80`, `80/tcp`, `80-90/udp`.
fn has_port(record: &Record, name: &str, wanted: &str) -> bool {
    let (range, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else {
        return false;
    };
    let host = record.settings.host();
    let bindings = host.and_then(|host| host.port_bindings.as_ref());
    let is_it = |port: &str, of: &str| {
        of == protocol
            && port
                .parse()
                .is_ok_and(|port: u16| (from..=to).contains(&port))
    };
    let split = |key: &str| {
        let (port, of) = key.split_once('/').unwrap_or((key, "tcp"));
        (port.to_owned(), of.to_owned())
    };
    if name == "expose" {
        let exposed = record.settings.body.exposed_ports.iter().flatten();
        let published = bindings.into_iter().flatten().map(|(key, _)| key);
        return exposed.chain(published).any(|key| {
            let (port, of) = split(key);
            is_it(&port, &of)
        });
    }
    bindings.into_iter().flatten().any(|(key, hosts)| {
        let (_, of) = split(key);
        let mut ports = hosts
            .iter()
            .flatten()
            .filter_map(|one| one.host_port.as_deref());
        ports.any(|port| is_it(port, &of))
    })
}

fn created(record: &Record) -> Option<SystemTime> {
    instant(&record.settings.created).ok()
}

/// An instant, or how long ago.
fn until(text: &str) -> Option<SystemTime> {
    if let Ok(at) = instant(text) {
        return Some(at);
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    }
    SystemTime::now().checked_sub(humantime::parse_duration(text).ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::super::model::{Life, Settings};
    use super::*;

    fn record() -> Record {
        let mut settings = Settings::of("abcdef".parse().unwrap(), "web_1".to_owned());
        settings.body.labels = Some([("a".to_owned(), "b=c".to_owned())].into());
        settings.body.image = Some("busybox:latest".to_owned());
        Record {
            settings: Arc::new(settings),
            life: Life::lost(),
            removed: false,
        }
    }

    fn lists(filters: &[(&str, &str)]) -> bool {
        let mut all = Filters::new();
        for (name, value) in filters {
            all.entry((*name).to_owned())
                .or_default()
                .push((*value).to_owned());
        }
        all.check().unwrap();
        all.lists(&record(), &Registry::default()).unwrap()
    }

    #[test]
    fn one_value_of_each_has_to_hold() {
        for yes in [
            vec![("name", "eb")],
            vec![("name", "^web")],
            vec![("name", "^/web_1$")],
            vec![("id", "abc")],
            vec![("label", "a")],
            vec![("label", "a=b=c")],
            vec![("status", "running"), ("status", "exited")],
            vec![("exited", "255")],
            vec![("ancestor", "busybox")],
            vec![("health", "none"), ("name", "web")],
        ] {
            assert!(lists(&yes), "{yes:?}");
        }
        for no in [
            vec![("name", "^eb")],
            vec![("label", "a=b")],
            vec![("label", "a"), ("label", "x")],
            vec![("status", "running")],
            vec![("exited", "0")],
            vec![("name", "web"), ("id", "b")],
            vec![("ancestor", "busy")],
        ] {
            assert!(!lists(&no), "{no:?}");
        }
    }

    #[test]
    fn unknown_filters_are_refused() {
        for (name, value) in [("nonsense", "1"), ("status", "asleep"), ("exited", "x")] {
            let filters: Filters = [(name.to_owned(), vec![value.to_owned()])].into();
            assert!(filters.check().is_err(), "{name}");
        }
    }
}
