//! Filters of `ps`: all that are named have to hold, one value of each.

use std::collections::HashMap;
use std::time::SystemTime;

use bollard::models::HealthStatusEnum;
use regex::Regex;

use super::EngineError;
use super::model::{Phase, Record, Settings};
use super::name::{SHORT, instant};
use super::part_filter::{has_labels, refuse_unknown};
use super::registry::Registry;
use super::status;

/// Filter's name to values, as the API has them; `until` is in seconds since 1970.
pub type Filters = HashMap<String, Vec<String>>;

const LISTS: [&str; 15] = [
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
    "volume",
];

/// What a filter of containers has to look up.
pub(super) trait Surroundings {
    fn registry(&self) -> &Registry;
    /// Ids of the networks that have this name, or an id that begins so.
    fn networks(&self, wanted: &str) -> Vec<String>;
    /// Names and ids of the networks that a container is in, or will be.
    fn networks_of(&self, settings: &Settings) -> Vec<String>;
}

/// Which containers are listed.
pub(super) struct Wanted<'a, S> {
    filters: &'a Filters,
    surroundings: &'a S,
    names: Vec<Regex>,
    /// Ids.
    networks: Vec<String>,
    before: Option<SystemTime>,
    since: Option<SystemTime>,
}

impl<'a, S: Surroundings> Wanted<'a, S> {
    /// # Errors
    /// A filter is unknown, or names a container that is.
    pub(super) fn of(filters: &'a Filters, surroundings: &'a S) -> Result<Self, EngineError> {
        refuse_unknown(filters, &LISTS)?;
        let values = |name: &str| filters.get(name).into_iter().flatten();
        for value in values("exited") {
            value.parse::<i64>().map_err(|_| bad("exited", value))?;
        }
        for value in values("status") {
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
        let names = values("name").map(|value| Regex::new(value).map_err(|_| bad("name", value)));
        let created_of = |name: &str| -> Result<_, EngineError> {
            let Some(value) = values(name).next() else {
                return Ok(None);
            };
            Ok(created(&surroundings.registry().resolve(value)?.record()))
        };
        Ok(Self {
            filters,
            surroundings,
            names: names.collect::<Result<_, _>>()?,
            networks: values("network")
                .flat_map(|value| surroundings.networks(value))
                .collect(),
            before: created_of("before")?,
            since: created_of("since")?,
        })
    }

    /// Is it listed?
    pub(super) fn lists(&self, record: &Record) -> bool {
        self.filters
            .iter()
            .all(|(name, values)| values.is_empty() || self.holds(name, values, record))
    }

    fn holds(&self, name: &str, values: &[String], record: &Record) -> bool {
        let (settings, life) = (&record.settings, &record.life);
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        match name {
            "id" => any(&|value| settings.id.as_str().starts_with(value)),
            "name" => {
                let with_slash = format!("/{}", settings.name);
                let is_match =
                    |regex: &Regex| regex.is_match(&settings.name) || regex.is_match(&with_slash);
                self.names.iter().any(is_match)
            }
            "label" => has_labels(&settings.labels(), self.filters),
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
                let own = self.surroundings.networks_of(settings);
                own.iter()
                    .any(|own| self.networks.contains(own) || values.contains(own))
            }
            "volume" => any(&|value| has_volume(record, value)),
            "before" => created(record) < self.before,
            "since" => created(record) > self.since,
            "publish" | "expose" => any(&|value| has_port(record, name, value)),
            "is-task" => any(&|value| matches!(value, "false" | "0")),
            _ => any(&|value| matches!(value, "default" | "")),
        }
    }
}

fn bad(name: &str, value: &str) -> EngineError {
    EngineError::Invalid(format!("invalid filter '{name}={value}'"))
}

fn is_image(record: &Record, wanted: &str) -> bool {
    let plain = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    let digest = record.settings.image.as_deref().unwrap_or_default();
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    let wanted_digest = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    plain(&record.settings.image_name()) == plain(wanted)
        || (wanted_digest.len() >= SHORT && digest.starts_with(wanted_digest))
}

/// By name, a path of the host's, or where it is mounted.
fn has_volume(record: &Record, wanted: &str) -> bool {
    let mounts = record.settings.host().and_then(|host| host.mounts.as_ref());
    // A tmpfs is among these only.
    let mut targets = mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| mount.target.as_deref());
    record
        .settings
        .mounts
        .iter()
        .any(|bound| bound.is_called(wanted))
        || targets.any(|target| target == wanted)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::super::model::Life;
    use super::super::parts::Bound;
    use super::*;

    fn record() -> Record {
        let mut settings = Settings::of("abcdef".parse().unwrap(), "web_1".to_owned());
        settings.body.labels = Some([("a".to_owned(), "b=c".to_owned())].into());
        settings.body.image = Some("busybox:latest".to_owned());
        settings.mounts = vec![Bound::of_words("1f2e:/data"), Bound::of_words("/srv:/mnt")];
        Record {
            settings: Arc::new(settings),
            life: Life::lost(),
            removed: false,
        }
    }

    /// A host with two networks; every container is in the first.
    #[derive(Default)]
    struct Host(Registry);

    impl Surroundings for Host {
        fn registry(&self) -> &Registry {
            &self.0
        }

        fn networks(&self, wanted: &str) -> Vec<String> {
            let all = [("bridge", "0123abc"), ("back", "0124abc")].into_iter();
            let found = all.filter(|(name, id)| *name == wanted || id.starts_with(wanted));
            found.map(|(_, id)| id.to_owned()).collect()
        }

        fn networks_of(&self, _settings: &Settings) -> Vec<String> {
            vec!["bridge".to_owned(), "0123abc".to_owned()]
        }
    }

    fn lists(filters: &[(&str, &str)]) -> bool {
        let mut all = Filters::new();
        for (name, value) in filters {
            all.entry((*name).to_owned())
                .or_default()
                .push((*value).to_owned());
        }
        Wanted::of(&all, &Host::default()).unwrap().lists(&record())
    }

    #[test]
    fn one_value_of_each_has_to_hold() {
        for yes in [
            vec![("name", "eb")],
            vec![("name", "^web")],
            vec![("name", "^/web_1$")],
            vec![("name", "^web_1$")],
            vec![("name", "^(web|db)_[0-9]+$")],
            vec![("name", "w.b")],
            vec![("network", "bridge")],
            vec![("network", "0123")],
            vec![("network", "back"), ("network", "bridge")],
            vec![("volume", "1f2e")],
            vec![("volume", "/data")],
            vec![("volume", "/srv")],
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
            vec![("name", "web-[0-9]")],
            vec![("network", "back")],
            vec![("network", "0124")],
            vec![("volume", "/dat")],
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
        for (name, value) in [
            ("nonsense", "1"),
            ("status", "asleep"),
            ("exited", "x"),
            ("name", "["),
            ("before", "nobody"),
        ] {
            let filters: Filters = [(name.to_owned(), vec![value.to_owned()])].into();
            assert!(Wanted::of(&filters, &Host::default()).is_err(), "{name}");
        }
    }
}
