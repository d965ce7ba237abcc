//! New limits and a new restart policy for a container.

use bollard::models::{ContainerCreateBody, ContainerUpdateBody};
use libcontainer::oci_spec::runtime::LinuxResources;
use serde_json::Value;

use super::Parts;
use crate::engine::container::EngineError;
use crate::engine::container::model::Settings;
use crate::engine::spec;

impl Parts {
    /// The configuration with what is given, and the limits to be set.
    pub(in crate::engine::container) fn update(
        &self,
        settings: &Settings,
        change: &ContainerUpdateBody,
    ) -> Result<(ContainerCreateBody, LinuxResources), EngineError> {
        let mut body = settings.body.clone();
        let host = body.host_config.get_or_insert_default();
        let merged = merge(host, change);
        *host = merged.map_err(|error| EngineError::Invalid(error.to_string()))?;
        let (memory, swap) = (host.memory.unwrap_or(0), host.memory_swap.unwrap_or(0));
        if swap > 0 && memory > swap && change.memory_swap.unwrap_or(0) == 0 {
            let text = format!(
                "Cannot update container {}: Memory limit should be smaller than already set memoryswap \
                 limit, update the memoryswap at the same time",
                settings.id
            );
            return Err(EngineError::Invalid(text));
        }
        spec::validate_update(host)?;
        let resources = spec::update(change, host)?;
        Ok((body, resources))
    }
}

/// The fields of an update have the names that they have in `HostConfig`.
fn merge<T>(host: &T, change: &ContainerUpdateBody) -> serde_json::Result<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut host = serde_json::to_value(host)?;
    let change = serde_json::to_value(change)?;
    if let (Value::Object(host), Value::Object(change)) = (&mut host, change) {
        for (key, value) in change {
            if !is_nothing(&value) {
                host.insert(key, value);
            }
        }
    }
    serde_json::from_value(host)
}

/// Clients send zeros and empty words for what they do not change.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bollard::models::{HostConfig, RestartPolicy, RestartPolicyNameEnum};

    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let host = HostConfig {
            memory: Some(7),
            pids_limit: Some(9),
            ..HostConfig::default()
        };
        let change = ContainerUpdateBody {
            memory: Some(8),
            pids_limit: Some(0),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::ALWAYS),
                maximum_retry_count: None,
            }),
            ..ContainerUpdateBody::default()
        };
        let merged = merge(&host, &change).unwrap();
        assert_eq!((merged.memory, merged.pids_limit), (Some(8), Some(9)));
        let name = merged.restart_policy.unwrap().name;
        assert_eq!(name, Some(RestartPolicyNameEnum::ALWAYS));
    }
}
