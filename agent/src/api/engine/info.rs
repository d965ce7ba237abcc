//! `GET /info`: the host and what of it containers can be given.

use std::collections::HashMap;
use std::fs;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bollard::models::{
    Commit, LocalNodeState, PluginsInfo, RegistryServiceConfig, Runtime, SwarmInfo, SystemInfo,
    SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum, SystemInfoIsolationEnum,
};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::utsname::{UtsName, uname};
use nix::unistd::Pid;
use procfs::{Current, Meminfo};
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::refusal::Refused;
use super::unset::{fill_unset, whole};
use crate::api::server::Room;
use crate::cgroup::{Controller, Layout, Mode};
use crate::engine::network::DEFAULT_NETWORK;
use crate::engine::spec::can_limit_swap;
use crate::engine::{Engine, Filters, ListQuery};

const RUNTIME: &str = "plimsoll";

pub(super) async fn info(
    State(room): State<Room>,
    _asked: Parameters,
) -> Result<Json<Value>, Refused> {
    let engine = room.engine()?;
    let own = counted(engine).await?;
    let host = tokio::task::spawn_blocking(|| with_host(own))
        .await
        .map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    whole(&host, complete)
}

/// What is asked of the engine.
async fn counted(engine: &Engine) -> Result<SystemInfo, Refused> {
    let all = ListQuery {
        all: true,
        ..ListQuery::default()
    };
    let containers = engine.list(all).await?;
    let in_state = |state: &str| {
        let matching = containers
            .iter()
            .filter(|container| container.state.is_some_and(|own| own.to_string() == state));
        i64::try_from(matching.count()).ok()
    };
    let images = engine.image_list(Filters::new(), true).await?;
    let total = i64::try_from(containers.len()).ok();
    let (running, paused) = (in_state("running"), in_state("paused"));
    Ok(SystemInfo {
        id: id(engine),
        containers: total,
        containers_running: running,
        containers_paused: paused,
        // As Docker: those that were never started, too.
        containers_stopped: total.map(|all| all - running.unwrap_or(0) - paused.unwrap_or(0)),
        images: i64::try_from(images.len()).ok(),
        docker_root_dir: Some(engine.data_dir().display().to_string()),
        n_events_listener: i64::try_from(engine.events().listeners()).ok(),
        ..SystemInfo::default()
    })
}

/// As random as the id of the network that is there from the first start on, and kept as long.
fn id(engine: &Engine) -> Option<String> {
    let mut networks = engine.networks().list().into_iter();
    let first = networks.find(|one| one.name.as_deref() == Some(DEFAULT_NETWORK))?;
    let id = first.id?;
    let part = |from: usize, to: usize| id.get(from..to);
    Some(format!(
        "{}-{}-{}-{}-{}",
        part(0, 8)?,
        part(8, 12)?,
        part(12, 16)?,
        part(16, 20)?,
        part(20, 32)?
    ))
}

/// What the kernel and files of the host say.
fn with_host(own: SystemInfo) -> SystemInfo {
    let layout = Layout::detect().ok();
    let layout = layout.as_ref();
    let is_unified = layout.is_some_and(|layout| layout.mode() == Mode::Unified);
    let has = |controller| layout.is_some_and(|layout| layout.controller(controller).is_some());
    let cpu = Some(has(Controller::Cpu));
    let name = uname().ok();
    let of_name = |field: fn(&UtsName) -> &std::ffi::OsStr| {
        let name = name.as_ref()?;
        Some(field(name).to_string_lossy().into_owned())
    };
    let mut info = SystemInfo {
        driver: Some("overlay2".to_owned()),
        driver_status: Some(Vec::new()),
        plugins: Some(plugins()),
        memory_limit: Some(has(Controller::Memory)),
        swap_limit: Some(layout.is_some_and(can_limit_swap)),
        cpu_cfs_period: cpu,
        cpu_cfs_quota: cpu,
        cpu_shares: cpu,
        cpu_set: Some(has(Controller::Cpuset)),
        pids_limit: Some(has(Controller::Pids)),
        oom_kill_disable: Some(!is_unified && has(Controller::Memory)),
        // Turned on with the first container that needs it.
        ipv4_forwarding: Some(true),
        debug: Some(false),
        nfd: entries("/proc/self/fd"),
        n_goroutines: entries("/proc/self/task"),
        system_time: Some(humantime::format_rfc3339_nanos(SystemTime::now()).to_string()),
        logging_driver: Some("json-file".to_owned()),
        cgroup_driver: Some(SystemInfoCgroupDriverEnum::CGROUPFS),
        cgroup_version: Some(match is_unified {
            true => SystemInfoCgroupVersionEnum::_2,
            false => SystemInfoCgroupVersionEnum::_1,
        }),
        kernel_version: of_name(UtsName::release),
        operating_system: Some(released("PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned())),
        os_version: Some(released("VERSION_ID").unwrap_or_default()),
        os_type: Some("linux".to_owned()),
        architecture: of_name(UtsName::machine),
        ncpu: cpus(),
        mem_total: Meminfo::current()
            .ok()
            .and_then(|memory| i64::try_from(memory.mem_total).ok()),
        registry_config: Some(RegistryServiceConfig {
            insecure_registry_cidrs: Some(Vec::new()),
            index_configs: Some(HashMap::new()),
            mirrors: Some(Vec::new()),
        }),
        name: of_name(UtsName::nodename),
        labels: Some(Vec::new()),
        experimental_build: Some(false),
        server_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        runtimes: Some(HashMap::from([(
            RUNTIME.to_owned(),
            Runtime {
                path: Some(RUNTIME.to_owned()),
                ..Runtime::default()
            },
        )])),
        default_runtime: Some(RUNTIME.to_owned()),
        swarm: Some(SwarmInfo {
            local_node_state: Some(LocalNodeState::INACTIVE),
            control_available: Some(false),
            ..SwarmInfo::default()
        }),
        // Containers go on while no agent is there.
        live_restore_enabled: Some(true),
        isolation: Some(SystemInfoIsolationEnum::EMPTY),
        init_binary: Some(RUNTIME.to_owned()),
        containerd_commit: Some(none_of_it()),
        runc_commit: Some(none_of_it()),
        init_commit: Some(none_of_it()),
        security_options: Some(security(is_unified)),
        ..own
    };
    info.warnings = Some(warnings(&info));
    info
}

fn plugins() -> PluginsInfo {
    let named = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    PluginsInfo {
        volume: named(&["local"]),
        network: named(&["bridge", "host", "null"]),
        authorization: None,
        log: named(&["json-file", "none"]),
    }
}

/// As Docker names what it does not find; part of this program, or not needed.
fn none_of_it() -> Commit {
    Commit {
        id: Some("N/A".to_owned()),
    }
}

fn security(is_unified: bool) -> Vec<String> {
    let mut options = vec!["name=seccomp,profile=builtin".to_owned()];
    if is_unified {
        // Containers have one unless they ask for none.
        options.push("name=cgroupns".to_owned());
    }
    options
}

/// In Docker's words.
fn warnings(info: &SystemInfo) -> Vec<String> {
    let is_v1 = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1);
    let mut all = vec![
        (info.memory_limit, "memory limit"),
        (info.swap_limit, "swap limit"),
        (info.cpu_cfs_quota, "cpu cfs quota"),
        (info.cpu_cfs_period, "cpu cfs period"),
        (info.cpu_shares, "cpu shares"),
        (info.cpu_set, "cpuset"),
    ];
    if is_v1 {
        all.push((info.oom_kill_disable, "oom kill disable"));
    }
    let missing = all.into_iter().filter(|(there, _)| *there == Some(false));
    missing
        .map(|(_, what)| format!("WARNING: No {what} support"))
        .collect()
}

/// How many this process may run on, as Docker has it.
fn cpus() -> Option<i64> {
    let set = sched_getaffinity(Pid::this()).ok()?;
    let count = (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu) == Ok(true));
    i64::try_from(count.count()).ok()
}

fn entries(directory: &str) -> Option<i64> {
    let entries = fs::read_dir(directory).ok()?;
    i64::try_from(entries.count()).ok()
}

/// Of what the host runs.
fn released(key: &str) -> Option<String> {
    let files = ["/etc/os-release", "/usr/lib/os-release"];
    let text = files
        .iter()
        .find_map(|file| fs::read_to_string(file).ok())?;
    value_of(&text, key)
}

fn value_of(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// What `bollard`'s model has no field for, or leaves out when it is unset.
fn complete(info: &mut Value) {
    let commit = json!({"Expected": "N/A"});
    fill_unset(
        info,
        json!({
            // What Docker needs them for, these networks do without.
            "BridgeNfIptables": true,
            "BridgeNfIp6tables": true,
            "SystemStatus": null,
            "Plugins": {"Authorization": null},
            "RegistryConfig": {
                "AllowNondistributableArtifactsCIDRs": [],
                "AllowNondistributableArtifactsHostnames": [],
            },
            "IndexServerAddress": "",
            "GenericResources": null,
            "HttpProxy": "",
            "HttpsProxy": "",
            "NoProxy": "",
            "Swarm": {"NodeID": "", "NodeAddr": "", "Error": "", "RemoteManagers": null},
            "ContainerdCommit": commit,
            "RuncCommit": commit,
            "InitCommit": commit,
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_lacks_is_warned_of() {
        let mut info = SystemInfo {
            memory_limit: Some(true),
            swap_limit: Some(false),
            oom_kill_disable: Some(false),
            cgroup_version: Some(SystemInfoCgroupVersionEnum::_2),
            ..SystemInfo::default()
        };
        assert_eq!(warnings(&info), ["WARNING: No swap limit support"]);
        info.cgroup_version = Some(SystemInfoCgroupVersionEnum::_1);
        assert_eq!(warnings(&info).len(), 2);
    }

    #[test]
    fn an_operating_systems_name_is_without_quotes() {
        let text = "NAME=Other\nPRETTY_NAME=\"An OS 1\"\nVERSION_ID='7'\n";
        assert_eq!(value_of(text, "PRETTY_NAME").as_deref(), Some("An OS 1"));
        assert_eq!(value_of(text, "VERSION_ID").as_deref(), Some("7"));
        assert_eq!(value_of(text, "VERSION"), None);
    }
}
