//! What is shown: state, lists, processes, usage, features.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use libcontainer::oci_spec::runtime::VERSION as OCI_VERSION;
use serde::Serialize;
use serde_json::{Value, json};

use super::Refusal;
use super::args::{EventsArgs, ListArgs, ListFormat, PsArgs};
use crate::cgroup::{Reader, Scratch};
use crate::launch::{Container, StateDir, Status};

/// In the form of the OCI specification, and what runc adds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    oci_version: &'static str,
    id: &'a str,
    pid: u32,
    status: Status,
    bundle: &'a Path,
    rootfs: &'a Path,
    created: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    owner: &'static str,
}

impl<'a> Shown<'a> {
    fn new(container: &'a Container) -> Self {
        let state = container.state();
        let status = container.status();
        let pid = state.init.filter(|_| status != Status::Stopped);
        Self {
            oci_version: OCI_VERSION,
            id: state.id.as_str(),
            pid: pid.map_or(0, |init| init.pid),
            status,
            bundle: &state.bundle,
            rootfs: &state.rootfs,
            created: &state.created,
            annotations: &state.annotations,
            owner: "root",
        }
    }
}

fn print(text: &str) -> Result<(), Refusal> {
    let written = io::stdout().write_all(text.as_bytes());
    written.map_err(Refusal::io("cannot write"))
}

fn print_json(value: &impl Serialize) -> Result<(), Refusal> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Refusal::new(error.to_string()))?;
    print(&format!("{text}\n"))
}

pub(super) fn state(container: &Container) -> Result<(), Refusal> {
    print_json(&Shown::new(container))
}

pub(super) fn list(root: &Path, args: &ListArgs) -> Result<(), Refusal> {
    let dirs = StateDir::all(root).map_err(Refusal::io("cannot list the containers"))?;
    // One may go while the others are looked at.
    let containers: Vec<_> = dirs
        .iter()
        .filter_map(|(id, _)| Container::open(root, id).ok())
        .collect();
    if args.quiet {
        let ids = containers.iter().map(|one| format!("{}\n", one.state().id));
        return print(&ids.collect::<String>());
    }
    let shown: Vec<_> = containers.iter().map(Shown::new).collect();
    if args.format == ListFormat::Json {
        return print_json(&shown);
    }
    let width = shown
        .iter()
        .map(|one| one.id.len())
        .max()
        .unwrap_or(0)
        .max(2);
    let mut text = format!(
        "{:<width$}  {:<9} {:<9} {:<40}  {:<30}  OWNER\n",
        "ID", "PID", "STATUS", "BUNDLE", "CREATED"
    );
    for one in shown {
        text.push_str(&format!(
            "{:<width$}  {:<9} {:<9} {:<40}  {:<30}  {}\n",
            one.id,
            one.pid,
            one.status.as_str(),
            one.bundle.display().to_string(),
            one.created,
            one.owner
        ));
    }
    print(&text)
}

pub(super) fn ps(container: &Container, args: &PsArgs) -> Result<(), Refusal> {
    let pids = container.cgroups().processes();
    if args.format == ListFormat::Json {
        let text = serde_json::to_string(&pids).unwrap_or_default();
        return print(&format!("{text}\n"));
    }
    let options = match args.options.as_slice() {
        [] => &["-ef".to_owned()][..],
        given => given,
    };
    let output = Command::new("ps").args(options).output();
    let output = output.map_err(Refusal::io("cannot start ps"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Refusal::new(format!("ps: {}", text.trim_end())));
    }
    let table = String::from_utf8_lossy(&output.stdout);
    let mut lines = table.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|title| title == "PID");
    let column = column.ok_or_else(|| Refusal::new("ps shows no column PID with these options"))?;
    print(&format!("{head}\n"))?;
    for line in lines {
        let pid = line.split_whitespace().nth(column);
        let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| pids.contains(&pid)) {
            print(&format!("{line}\n"))?;
        }
    }
    Ok(())
}

pub(super) fn events(container: &Container, args: &EventsArgs) -> Result<(), Refusal> {
    let status = container.status();
    if status == Status::Stopped {
        let id = &container.state().id;
        return Err(Refusal::new(format!(
            "container with id {id} is not running"
        )));
    }
    loop {
        let usage = usage(container)?;
        let id = container.state().id.as_str();
        let event = json!({"type": "stats", "id": id, "data": usage});
        print(&format!("{event}\n"))?;
        if args.stats {
            return Ok(());
        }
        std::thread::sleep(args.interval.into());
        if container.status() == Status::Stopped {
            return Ok(());
        }
    }
}

/// The parts of runc's that its readers use.
fn usage(container: &Container) -> Result<Value, Refusal> {
    let cgroups = container.cgroups();
    let mut reader = Reader::open(cgroups.layout(), cgroups.placement());
    let reading = reader.read(&mut Scratch::default());
    let reading = reading.map_err(|error| Refusal::new(error.to_string()))?;
    let mut data = json!({});
    if let Some(cpu) = reading.cpu {
        data["cpu"] = json!({"usage": {"total": cpu.usage_ns, "user": cpu.user_ns,
            "kernel": cpu.system_ns}});
        if let Some(throttling) = cpu.throttling {
            data["cpu"]["throttling"] = json!({"periods": throttling.periods,
                "throttledPeriods": throttling.throttled_periods,
                "throttledTime": throttling.throttled_ns});
        }
    }
    if let Some(memory) = reading.memory {
        let limit = reading.limits.memory_max_bytes.unwrap_or(u64::MAX);
        data["memory"] = json!({"cache": memory.cache_bytes,
            "usage": {"limit": limit, "usage": memory.usage_bytes,
                "max": memory.peak_bytes.unwrap_or(0), "failcnt": memory.failures.unwrap_or(0)}});
    }
    if let Some(pids) = reading.pids {
        data["pids"] = json!({"current": pids.current, "limit": pids.max.unwrap_or(0)});
    }
    Ok(data)
}

pub(super) fn features() -> Result<(), Refusal> {
    print_json(&json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart",
            "poststop"],
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "cgroup": {"v1": true, "v2": true, "systemd": false, "systemdUser": false},
            "seccomp": {"enabled": true},
            "apparmor": {"enabled": true},
            "selinux": {"enabled": false},
            "intelRdt": {"enabled": true}
        }
    }))
}
