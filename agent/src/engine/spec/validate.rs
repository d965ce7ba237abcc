//! Configurations that are refused when a container is created.

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigIsolationEnum, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::error::refuse;
use super::mode::{Modes, Share};
use super::namespaces::{TIME_OFFSET, time_offsets};
use super::resources::{MEMORY_HIGH, bytes_of};
use super::security::Security;
use super::{
    SpecError, capability, devices, limits_check, mounts_check, rlimits, seccomp, sysctls,
    working_directory,
};
use crate::launch::{signal_of_name, signal_of_number};

/// As the kernel has it (include/uapi/linux/utsname.h).
const LONGEST_HOSTNAME: usize = 64;
/// In nanoseconds, as the fields are.
const MILLISECOND: i64 = 1_000_000;

/// Refuses what Docker refuses when a container is created, in its words, and what is not supported
/// here, by name. What only shows when it is started (users, devices) is not looked at.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(body: &ContainerCreateBody) -> Result<(), SpecError> {
    let host = body.host_config.clone().unwrap_or_default();
    restart(&host)?;
    working_directory::of(body.working_dir.as_deref(), None)?;
    for variable in body.env.iter().flatten() {
        if variable.is_empty() || variable.starts_with('=') {
            return refuse(format!("invalid environment variable: {variable}"));
        }
    }
    signal(body.stop_signal.as_deref())?;
    if let Some(health) = &body.healthcheck {
        healthcheck(health)?;
    }
    if host
        .annotations
        .iter()
        .flatten()
        .any(|(key, _)| key.is_empty())
    {
        return refuse(
            "invalid Annotations: the empty string is not permitted as an annotation key",
        );
    }
    annotations(&host)?;
    let modes = Modes::of(&host)?;
    network(body, &host, &modes)?;
    users(&host, &modes)?;
    capability::asked_for(&host)?;
    let security = Security::of(&host)?;
    seccomp::validate(&security.seccomp)?;
    security.apparmor_profile()?;
    limits_check::limits(&host)?;
    others(&host)?;
    rlimits::of(&host)?;
    sysctls::of(&host, &modes)?;
    devices::validate(&host)?;
    mounts_check::mounts(&host)
}

/// Refuses an update that leads to this: of what cannot be changed, nothing is looked at.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate_update(host: &HostConfig) -> Result<(), SpecError> {
    restart(host)?;
    limits_check::limits(host)
}

fn restart(host: &HostConfig) -> Result<(), SpecError> {
    let policy = host.restart_policy.clone().unwrap_or_default();
    let RestartPolicy {
        name,
        maximum_retry_count,
    } = policy;
    let retries = maximum_retry_count.unwrap_or(0);
    let name = name.unwrap_or(RestartPolicyNameEnum::NO);
    let restarts = match name {
        RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO => false,
        RestartPolicyNameEnum::ALWAYS
        | RestartPolicyNameEnum::UNLESS_STOPPED
        | RestartPolicyNameEnum::ON_FAILURE => true,
    };
    if host.auto_remove == Some(true) && restarts {
        return refuse("can't create 'AutoRemove' container with restart policy");
    }
    if retries != 0 && name != RestartPolicyNameEnum::ON_FAILURE {
        return refuse(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'",
        );
    }
    if retries < 0 {
        return refuse("invalid restart policy: maximum retry count cannot be negative");
    }
    Ok(())
}

fn signal(signal: Option<&str>) -> Result<(), SpecError> {
    let Some(text) = signal.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let by_number = text.parse().ok().and_then(signal_of_number);
    if by_number.or_else(|| signal_of_name(text)).is_none() {
        return refuse(format!("invalid signal: {text}"));
    }
    Ok(())
}

fn healthcheck(health: &HealthConfig) -> Result<(), SpecError> {
    let durations = [
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ];
    for (name, duration) in durations {
        let duration = duration.unwrap_or(0);
        if duration != 0 && duration < MILLISECOND {
            return refuse(format!("{name} in Healthcheck cannot be less than 1ms"));
        }
    }
    if health.retries.unwrap_or(0) < 0 {
        return refuse("Retries in Healthcheck cannot be negative");
    }
    let test: Vec<_> = health.test.iter().flatten().map(String::as_str).collect();
    match test.as_slice() {
        [] | ["NONE"] | ["CMD" | "CMD-SHELL", _, ..] => Ok(()),
        ["CMD" | "CMD-SHELL"] => refuse("Healthcheck has no command"),
        [kind, ..] => refuse(format!("Unknown type {kind:?} in Healthcheck (try 'CMD')")),
    }
}

fn annotations(host: &HostConfig) -> Result<(), SpecError> {
    let of = |key: &str| host.annotations.as_ref().and_then(|all| all.get(key));
    if let Some(text) = of(MEMORY_HIGH) {
        bytes_of(text)?;
    }
    if let Some(text) = of(TIME_OFFSET) {
        time_offsets(text)?;
    }
    Ok(())
}

/// Options that say the opposite of each other.
fn network(body: &ContainerCreateBody, host: &HostConfig, modes: &Modes) -> Result<(), SpecError> {
    let hostname = body.hostname.as_deref().unwrap_or_default();
    if hostname.len() > LONGEST_HOSTNAME {
        return refuse(format!("invalid hostname: {hostname}"));
    }
    if modes.uts == Share::Host && !hostname.is_empty() {
        return refuse("conflicting options: hostname and the UTS mode");
    }
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let linked = some(&host.links);
    if modes.network == Share::Host && linked {
        return refuse(
            "conflicting options: host type networking can't be used with links. This would result in \
             undefined behavior",
        );
    }
    for extra in host.extra_hosts.iter().flatten() {
        extra_host(extra)?;
    }
    if linked && modes.network != Share::Other && !is_users_network(host) {
        return refuse(
            "--link is not supported here: containers find each other by name in a network that is made for \
             them (network create)",
        );
    }
    let of_endpoints = body.networking_config.as_ref();
    let of_endpoints = of_endpoints.and_then(|config| config.endpoints_config.as_ref());
    let of_endpoints = of_endpoints.into_iter().flat_map(|all| all.values());
    let links = of_endpoints.filter_map(|endpoint| endpoint.links.as_ref());
    for link in links.chain(&host.links).flatten() {
        let mut parts = link.split(':');
        if parts.clone().count() > 2 || parts.any(str::is_empty) {
            return refuse(format!("bad format for links: {link}"));
        }
    }
    if modes.network != Share::Other {
        return Ok(());
    }
    let publishes = host.publish_all_ports == Some(true)
        || host
            .port_bindings
            .as_ref()
            .is_some_and(|ports| !ports.is_empty());
    let conflicts = [
        (!hostname.is_empty(), "hostname and the network mode"),
        (
            linked,
            "container type network can't be used with links. This would result in undefined behavior",
        ),
        (some(&host.dns), "dns and the network mode"),
        (
            some(&host.extra_hosts),
            "custom host-to-IP mapping and the network mode",
        ),
        (
            publishes,
            "port publishing and the container type network mode",
        ),
        (
            some(&body.exposed_ports),
            "port exposing and the container type network mode",
        ),
    ];
    match conflicts.iter().find(|(conflict, _)| *conflict) {
        Some((_, what)) => refuse(format!("conflicting options: {what}")),
        None => Ok(()),
    }
}

/// Where a link is no more than a name.
fn is_users_network(host: &HostConfig) -> bool {
    let mode = host.network_mode.as_deref().unwrap_or_default();
    !matches!(mode, "" | "default" | "bridge" | "none")
}

/// `name:address`, or `name=address` as newer clients send it.
fn extra_host(extra: &str) -> Result<(), SpecError> {
    let parts = extra.split_once('=').or_else(|| extra.split_once(':'));
    let Some((_, address)) = parts.filter(|(name, _)| !name.is_empty()) else {
        return refuse(format!("bad format for add-host: {extra:?}"));
    };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if address != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err() {
        return refuse(format!("invalid IP address in add-host: {address:?}"));
    }
    Ok(())
}

/// A namespace of users owns the others: what belongs to the host's cannot be changed from inside.
fn users(host: &HostConfig, modes: &Modes) -> Result<(), SpecError> {
    if modes.user != Share::Own {
        return Ok(());
    }
    if host.privileged == Some(true) {
        return refuse(
            "privileged mode is incompatible with user namespaces.  You must run the container in the \
             host namespace when running privileged mode",
        );
    }
    let shared = [
        (modes.network, "network namespace"),
        (modes.pid, "PID namespace"),
        (modes.ipc, "IPC namespace"),
        (modes.uts, "UTS namespace"),
    ];
    if let Some((share, what)) = shared.iter().find(|(share, _)| *share != Share::Own) {
        let whose = if *share == Share::Host {
            "the host's"
        } else {
            "another container's"
        };
        return refuse(format!(
            "cannot share {whose} {what} when user namespaces are enabled"
        ));
    }
    let moved = host.devices.iter().flatten().find(|device| {
        let target = device
            .path_in_container
            .as_ref()
            .filter(|path| !path.is_empty());
        target.is_some() && target != device.path_on_host.as_ref()
    });
    if let Some(device) = moved {
        // Nodes cannot be made in a user namespace: the host's is mounted where it is.
        return refuse(format!(
            "cannot give the device {} another path when user namespaces are enabled",
            device.path_on_host.as_deref().unwrap_or_default()
        ));
    }
    Ok(())
}

fn others(host: &HostConfig) -> Result<(), SpecError> {
    let score = host.oom_score_adj.unwrap_or(0);
    if !(-1000..=1000).contains(&score) {
        return refuse(format!(
            "Invalid value {score}, range for oom score adj is [-1000, 1000]"
        ));
    }
    if host.shm_size.unwrap_or(0) < 0 {
        return refuse("SHM size can not be less than 0");
    }
    match host.isolation {
        None | Some(HostConfigIsolationEnum::EMPTY | HostConfigIsolationEnum::DEFAULT) => {}
        Some(other) => {
            return refuse(format!(
                "Invalid isolation: {other}. linux only supports 'default'"
            ));
        }
    }
    if host
        .storage_opt
        .as_ref()
        .is_some_and(|options| !options.is_empty())
    {
        return refuse("--storage-opt is not supported: overlay has no quota of its own here");
    }
    Ok(())
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
