//! What a container may do and see of the host.

use std::collections::HashMap;
use std::fs;

use bollard::models::{DeviceMapping, DeviceRequest, HostConfig, HostConfigCgroupnsModeEnum};
use clap::Args;

use serde::de::IgnoredAny;

use super::super::super::failure::{Exit, Failure};
use super::super::json;
use super::amount;

/// Of isolation.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Isolation")]
pub(in super::super) struct IsolationArgs {
    /// Give it all capabilities and devices
    #[arg(long)]
    privileged: bool,
    /// Capability besides the usual ones
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Usual capability it does not get
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// no-new-privileges, seccomp=FILE|unconfined, systempaths=unconfined, …
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Device of the host
    #[arg(long, value_name = "HOST[:CONTAINER][:rwm]", value_parser = device)]
    device: Vec<DeviceMapping>,
    /// Graphics cards: refused, there is no driver for them
    #[arg(long, value_name = "CARDS", hide = true)]
    gpus: Option<String>,
    /// Runtime: refused, there is one only
    #[arg(long, value_name = "NAME", hide = true)]
    runtime: Option<String>,
    /// Rule of which devices it may use, such as `c 1:3 rwm`
    #[arg(long, value_name = "RULE", value_parser = device_rule)]
    device_cgroup_rule: Vec<String>,
    /// Kernel parameter of its namespaces
    #[arg(long, value_name = "NAME=VALUE", value_parser = sysctl)]
    sysctl: Vec<(String, String)>,
    /// Processes it sees: host, or container:NAME
    #[arg(long, value_name = "MODE", value_parser = |text: &str| mode(text, "PID"))]
    pid: Option<String>,
    /// Shared memory: private, shareable, host, none, or container:NAME
    #[arg(long, value_name = "MODE")]
    ipc: Option<String>,
    /// Host name: host, or container:NAME
    #[arg(long, value_name = "MODE", value_parser = |text: &str| mode(text, "UTS"))]
    uts: Option<String>,
    /// Users: host, or private: a range of its own
    #[arg(long, value_name = "MODE", value_parser = userns)]
    userns: Option<String>,
    /// Cgroups it sees: private or host
    #[arg(long, value_name = "MODE", value_parser = cgroupns)]
    cgroupns: Option<HostConfigCgroupnsModeEnum>,
    /// Cgroup in which its cgroup is made
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
}

impl IsolationArgs {
    pub(super) fn apply(self, host: &mut HostConfig) -> Result<(), Failure> {
        let some = |texts: Vec<String>| (!texts.is_empty()).then_some(texts);
        host.privileged = self.privileged.then_some(true);
        host.cap_add = some(self.cap_add.iter().map(|name| capability(name)).collect());
        host.cap_drop = some(self.cap_drop.iter().map(|name| capability(name)).collect());
        let mut options = Vec::new();
        for option in self.security_opt {
            if option == "systempaths=unconfined" {
                // None at all, where no list means the usual ones.
                host.masked_paths = Some(Vec::new());
                host.readonly_paths = Some(Vec::new());
            } else {
                options.push(security_option(option)?);
            }
        }
        host.security_opt = some(options);
        host.devices = (!self.device.is_empty()).then_some(self.device);
        host.device_requests = self.gpus.map(|_| vec![graphics_cards()]);
        host.runtime = self.runtime;
        host.device_cgroup_rules = some(self.device_cgroup_rule);
        let sysctls: HashMap<_, _> = self.sysctl.into_iter().collect();
        host.sysctls = (!sysctls.is_empty()).then_some(sysctls);
        host.pid_mode = self.pid;
        host.ipc_mode = self.ipc;
        host.uts_mode = self.uts;
        host.userns_mode = self.userns;
        host.cgroupns_mode = self.cgroupns;
        host.cgroup_parent = self.cgroup_parent;
        Ok(())
    }
}

/// What `--gpus` asks the agent for, in whatever words.
fn graphics_cards() -> DeviceRequest {
    DeviceRequest {
        count: Some(-1),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

/// `CAP_NET_ADMIN`, however it was written.
fn capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name == "ALL" || name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    }
}

/// A seccomp profile is read here, and goes along: the agent need not see the file.
fn security_option(option: String) -> Result<String, Failure> {
    let failure = |error: String| Failure::new(Exit::NotRun, error);
    let Some((name, value)) = option.split_once('=').or_else(|| option.split_once(':')) else {
        return if option == "no-new-privileges" {
            Ok(option)
        } else {
            Err(failure(format!("Invalid --security-opt: \"{option}\"")))
        };
    };
    if name != "seccomp" || value == "unconfined" || value == "builtin" {
        return Ok(option);
    }
    let wrong = |error: &dyn std::fmt::Display| {
        failure(format!("seccomp profile ({value}) cannot be read: {error}"))
    };
    let text = fs::read_to_string(value).map_err(|error| wrong(&error))?;
    // What it says is the agent's to understand, in the order written.
    let _: IgnoredAny = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    Ok(format!("seccomp={}", json::compact(&text)))
}

/// `/dev/null`, `/dev/null:/dev/x`, `/dev/null:rw`, `/dev/null:/dev/x:r`
pub(super) fn device(text: &str) -> Result<DeviceMapping, String> {
    let is_mode = |text: &str| !text.is_empty() && text.chars().all(|c| "rwm".contains(c));
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, permissions) = match parts.as_slice() {
        [host] => (*host, *host, "rwm"),
        [host, permissions] if is_mode(permissions) => (*host, *host, *permissions),
        [host, container] => (*host, *container, "rwm"),
        [host, container, permissions] if is_mode(permissions) => (*host, *container, *permissions),
        [_, _, permissions] => return Err(format!("bad mode specified: {permissions}")),
        _ => return Err(format!("invalid device specification: {text}")),
    };
    Ok(DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(container.to_owned()),
        cgroup_permissions: Some(permissions.to_owned()),
    })
}

fn device_rule(text: &str) -> Result<String, String> {
    let number = |text: &str| text == "*" || text.parse::<u32>().is_ok();
    let valid = match text.split(' ').collect::<Vec<_>>().as_slice() {
        [kind, numbers, access] => {
            let (major, minor) = numbers.split_once(':').unwrap_or(("", ""));
            ["a", "b", "c"].contains(kind)
                && number(major)
                && number(minor)
                && (1..=3).contains(&access.len())
                && access.chars().all(|c| "rwm".contains(c))
        }
        _ => false,
    };
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| format!("invalid device cgroup format '{text}'"))
}

fn sysctl(text: &str) -> Result<(String, String), String> {
    if text.contains('=') {
        return amount::pair(text);
    }
    Err(format!("`{text}` must be a name=value pair"))
}

/// The agent says which container is meant; of host names Docker knows the host's only.
fn mode(text: &str, what: &str) -> Result<String, String> {
    let of_container = text
        .strip_prefix("container:")
        .is_some_and(|name| !name.is_empty());
    if text.is_empty() || text == "host" || of_container {
        return Ok(text.to_owned());
    }
    Err(format!("invalid {what} mode"))
}

/// What podman has besides is refused by the agent, with the reason.
fn userns(text: &str) -> Result<String, String> {
    let is_podmans = text.starts_with("container:") || text.starts_with("keep-id");
    if is_podmans || ["", "host", "private", "auto"].contains(&text) {
        return Ok(text.to_owned());
    }
    Err("invalid USER mode".to_owned())
}

fn cgroupns(text: &str) -> Result<HostConfigCgroupnsModeEnum, String> {
    text.parse().map_err(|_| "invalid CGROUP mode".to_owned())
}
