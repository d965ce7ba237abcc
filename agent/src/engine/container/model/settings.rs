//! What was asked for: `config.json`.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use serde::{Deserialize, Serialize};

use super::Durability;
use crate::config::EngineConfig;
use crate::engine::container::EngineError;
use crate::engine::container::parts::Bound;
use crate::launch::shim::{LogFile, Patience, Stdio};
use crate::launch::{Id, Signal, signal_of_name};

/// What waits for a slow log, as Docker has it.
const BUFFER: u64 = 1 << 20;

/// A container's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::engine::container) struct Settings {
    pub(in crate::engine::container) id: Id,
    pub(in crate::engine::container) name: String,
    /// RFC 3339.
    pub(in crate::engine::container) created: String,
    /// With what the image said and the client did not.
    pub(in crate::engine::container) body: ContainerCreateBody,
    /// The image by digest; none with a root filesystem of the host's.
    #[serde(default)]
    pub(in crate::engine::container) image: Option<String>,
    /// Parent of its cgroup in every hierarchy.
    pub(in crate::engine::container) cgroup: String,
    #[serde(default)]
    pub(in crate::engine::container) mounts: Vec<Bound>,
    #[serde(default)]
    pub(in crate::engine::container) log: LogOptions,
}

/// When it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::container) enum Restart {
    No,
    Always,
    UnlessStopped,
    /// So often at most; 0: for ever.
    OnFailure(u32),
}

/// How much of its output is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine::container) struct LogOptions {
    pub(in crate::engine::container) max_bytes: u64,
    pub(in crate::engine::container) max_files: u32,
    /// `log-driver none`.
    pub(in crate::engine::container) off: bool,
    #[serde(default)]
    pub(in crate::engine::container) patience: Patience,
    /// `max-buffer-size`; 0: [`BUFFER`].
    #[serde(default)]
    pub(in crate::engine::container) buffer_bytes: u64,
}

impl Settings {
    #[cfg(test)]
    pub(in crate::engine::container) fn of(id: Id, name: String) -> Self {
        Self {
            id,
            name,
            created: crate::engine::container::name::now(),
            body: ContainerCreateBody::default(),
            image: None,
            cgroup: "/plimsoll/x".to_owned(),
            mounts: Vec::new(),
            log: LogOptions::default(),
        }
    }

    pub(in crate::engine::container) fn host(&self) -> Option<&HostConfig> {
        self.body.host_config.as_ref()
    }

    pub(in crate::engine::container) fn is_removed_at_exit(&self) -> bool {
        self.host().and_then(|host| host.auto_remove) == Some(true)
    }

    /// One that goes with its exit need not outlive the host's power.
    pub(in crate::engine::container) fn durability(&self) -> Durability {
        if self.is_removed_at_exit() {
            Durability::Agent
        } else {
            Durability::Power
        }
    }

    pub(in crate::engine::container) fn restart(&self) -> Restart {
        let policy = self.host().and_then(|host| host.restart_policy.as_ref());
        policy.map_or(Restart::No, Restart::of)
    }

    pub(in crate::engine::container) fn has_terminal(&self) -> bool {
        self.body.tty == Some(true)
    }

    pub(in crate::engine::container) fn takes_input(&self) -> bool {
        self.body.open_stdin == Some(true)
    }

    pub(in crate::engine::container) fn labels(&self) -> HashMap<String, String> {
        self.body.labels.clone().unwrap_or_default()
    }

    /// The image's name as it was asked for, or the directory.
    pub(in crate::engine::container) fn image_name(&self) -> String {
        self.body.image.clone().unwrap_or_default()
    }

    /// What asks it to end.
    pub(in crate::engine::container) fn stop_signal(&self) -> Signal {
        let wanted = self.body.stop_signal.as_deref();
        wanted.and_then(signal_of_name).unwrap_or(Signal::TERM)
    }

    /// Whether who sends this signal wants it to end, and not to be started again: any will do if none is named.
    pub(in crate::engine::container) fn is_to_end_by(&self, signal: Signal) -> bool {
        let named = self.body.stop_signal.as_deref();
        let is_named = named.is_some_and(|name| !name.is_empty());
        signal == Signal::KILL || !is_named || signal == self.stop_signal()
    }

    /// What its standard descriptors are, with its log at `log`.
    pub(in crate::engine::container) fn stdio(&self, log: &std::path::Path) -> Stdio {
        let log = (!self.log.off).then(|| LogFile {
            path: log.to_owned(),
            max_bytes: self.log.max_bytes,
            max_files: self.log.max_files,
            patience: self.log.patience,
            buffer_bytes: match self.log.buffer_bytes {
                0 => BUFFER,
                bytes => bytes,
            },
        });
        if self.has_terminal() {
            Stdio::Terminal { log }
        } else {
            let input = self.takes_input();
            Stdio::Pipes { input, log }
        }
    }
}

impl Restart {
    pub(in crate::engine::container) fn of(policy: &RestartPolicy) -> Self {
        let most = policy.maximum_retry_count.unwrap_or(0);
        match policy.name {
            None | Some(RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO) => Self::No,
            Some(RestartPolicyNameEnum::ALWAYS) => Self::Always,
            Some(RestartPolicyNameEnum::UNLESS_STOPPED) => Self::UnlessStopped,
            Some(RestartPolicyNameEnum::ON_FAILURE) => {
                Self::OnFailure(u32::try_from(most).unwrap_or(0))
            }
        }
    }
}

impl LogOptions {
    /// As Docker's `json-file` has them.
    pub(in crate::engine::container) fn of(
        host: Option<&HostConfig>,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let mut options = Self {
            max_bytes: config.log_max_bytes,
            max_files: config.log_max_files,
            ..Self::default()
        };
        let Some(asked) = host.and_then(|host| host.log_config.as_ref()) else {
            return Ok(options);
        };
        match asked.typ.as_deref() {
            None | Some("" | "json-file") => {}
            Some("none") => options.off = true,
            Some(other) => {
                let text = format!("logger: no log driver named '{other}' is registered");
                return Err(EngineError::Invalid(text));
            }
        }
        for (key, value) in asked.config.iter().flatten() {
            let bad = || EngineError::Invalid(format!("invalid value for {key}: {value}"));
            match key.as_str() {
                "max-size" if value == "-1" => options.max_bytes = 0,
                "max-size" => options.max_bytes = bytes(value).ok_or_else(bad)?,
                "max-file" => {
                    options.max_files = value.parse().ok().filter(|&n| n > 0).ok_or_else(bad)?;
                }
                // Without a word the workload does not wait for a log that hangs.
                "mode" if value == "blocking" => options.patience = Patience::Ever,
                "mode" if value == "non-blocking" => options.patience = Patience::None,
                "mode" => return Err(bad()),
                "max-buffer-size" => options.buffer_bytes = bytes(value).ok_or_else(bad)?,
                "labels" | "labels-regex" | "env" | "env-regex" | "tag" | "compress" => {
                    let text = format!("log opt '{key}' is not supported");
                    return Err(EngineError::Invalid(text));
                }
                _ => {
                    let text = format!("unknown log opt '{key}' for json-file log driver");
                    return Err(EngineError::Invalid(text));
                }
            }
        }
        Ok(options)
    }
}

/// `10m`, as Docker's units have it: powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower.get(number.len()..)? {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    let number: u64 = number.trim().parse().ok()?;
    number.checked_mul(1 << shift).filter(|&bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bollard::models::HostConfigLogConfig;

    use super::*;

    fn options(kind: &str, config: &[(&str, &str)]) -> Result<LogOptions, EngineError> {
        let pairs = config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let host = HostConfig {
            log_config: Some(HostConfigLogConfig {
                typ: Some(kind.to_owned()),
                config: Some(pairs.collect()),
            }),
            ..HostConfig::default()
        };
        LogOptions::of(Some(&host), &EngineConfig::default())
    }

    #[test]
    fn log_options_are_dockers() {
        let found = options("json-file", &[("max-size", "10m"), ("max-file", "3")]).unwrap();
        assert_eq!((found.max_bytes, found.max_files), (10 << 20, 3));
        assert_eq!(found.patience, Patience::Briefly);
        assert!(options("none", &[]).unwrap().off);
        let modes = [
            ("blocking", Patience::Ever),
            ("non-blocking", Patience::None),
        ];
        for (mode, patience) in modes {
            let found = options("", &[("mode", mode), ("max-buffer-size", "2m")]).unwrap();
            assert_eq!((found.patience, found.buffer_bytes), (patience, 2 << 20));
        }
        assert!(options("syslog", &[]).is_err());
        for (key, value) in [
            ("max-size", "0"),
            ("max-size", "x"),
            ("max-file", "0"),
            ("mode", "lazy"),
            ("max-buffer-size", "much"),
            ("nonsense", "1"),
        ] {
            assert!(options("", &[(key, value)]).is_err(), "{key}={value}");
        }
    }
}
