//! What is the same for a container of any engine: who it is, its readings, its end.

use serde_json::Value;

use super::Unit;
use super::engine::{Container, Engine};
use crate::cgroups::Cgroup;
use crate::guest::poll;

const CPU: &str = "container_cpu_usage_seconds_total";
const MEMORY: &str = "container_memory_usage_bytes";
const LIMITS: [&str; 6] = ["--cpus", "0.2", "--memory", "64m", "--pids-limit", "77"];
/// Holds some memory, and runs against its quota.
const BUSY: [&str; 3] = [
    "sh",
    "-c",
    "dd if=/dev/zero of=/tmp/held bs=1M count=8; while :; do :; done",
];

/// The whole life of one container with limits.
pub(super) fn live_and_die(agent: &Unit, engine: &Engine, name: &str) {
    let stream = agent.follow();
    let who = ["--network", "none", "--name", name];
    let labels = ["--label", "tier=front", "--label", "secret=x"];
    let container = engine.run(&[&who[..], &labels, &LIMITS].concat(), &BUSY);
    let (path, cgroup, inner) = (container.path(), container.cgroup(), container.inner());

    let workload = poll("its name", || {
        let workload = agent.workload(&path)?;
        (workload["identity"]["name"] == name).then_some(workload)
    });
    identity(&workload, &container, name);
    let limits = &workload["reading"]["limits"];
    assert_eq!(
        (&limits["cpu_quota_us"], &limits["cpu_period_us"]),
        (&20_000.into(), &100_000.into())
    );
    assert_eq!(limits["memory_max_bytes"], 64 << 20);
    series(agent, &path, engine, name);

    poll("throttled periods", || {
        (inner.field("cpu.stat", "nr_throttled")? >= 5).then_some(())
    });
    engine.cli(&["pause", name]);
    standing_still(agent, &path, &cgroup, &inner);
    let paused = cpu_ns(&cgroup);
    engine.cli(&["unpause", name]);
    container.remove();

    let dead = poll("its end", || {
        let workload = agent.workload(&path)?;
        (workload["life"]["state"] == "dead").then_some(workload)
    });
    let last = dead["reading"]["cpu"]["usage_ns"].as_u64().unwrap();
    // Once a cgroup is empty, systemd and the agent race to remove and to read it.
    assert!(
        last >= paused,
        "{last} ns at its end, {paused} ns before that"
    );
    // It stays until one scrape has had it, and has its name to the end.
    let labels = [format!("id=\"{path}\""), format!("name=\"{name}\"")];
    let exported = agent.metric(CPU, &labels.each_ref().map(String::as_str));
    assert_eq!(exported.map(|s| (s * 1e9).round() as u64), Some(last));
    poll("its retirement", || {
        agent.workload(&path).is_none().then_some(())
    });

    // Those of its cgroup and of what the runtime makes inside.
    let mut told = Vec::new();
    poll("the removal of its cgroup", || {
        let of = |event: &Value| {
            event["workload"]
                .as_str()
                .is_some_and(|id| id.starts_with(&path))
        };
        told.extend(stream.take().into_iter().filter(of));
        let is_last =
            |event: &Value| event["event"] == "cgroup_rmdir" && event["path"] == path.as_str();
        told.iter().any(is_last).then_some(())
    });
    let place = |name| told.iter().position(|event| event["event"] == name);
    let order = ["cgroup_mkdir", "cgroup_attach_task", "exec", "cgroup_rmdir"];
    let places: Vec<_> = order.map(place).into();
    assert!(places.is_sorted() && places[0].is_some(), "{told:#?}");
    let its_own = |event: &Value| event["event"] == "exec" && event["comm"] == BUSY[0];
    assert!(told.iter().any(its_own), "{told:#?}");
}

fn identity(workload: &Value, container: &Container, name: &str) {
    let identity = &workload["identity"];
    let expected = [
        ("runtime", container.engine.name),
        ("kind", "container"),
        ("container_id", &container.id),
        ("name", name),
        ("image", container.engine.image),
    ];
    for (key, value) in expected {
        assert_eq!(identity[key], value, "{key}: {identity}");
    }
}

/// cAdvisor's labels on cAdvisor's names, and only those container labels that are asked for.
fn series(agent: &Unit, path: &str, engine: &Engine, name: &str) {
    let id = format!("id=\"{path}\"");
    let cpu = poll("the label that the configuration asks for", || {
        agent.series(CPU, &[&id, "container_label_tier=\"front\""])
    });
    assert!(!cpu.contains("secret"), "{cpu}");
    for label in [
        format!("name=\"{name}\""),
        format!("image=\"{}\"", engine.image),
    ] {
        assert!(cpu.contains(&label), "{cpu}");
    }
    for (family, value) in [
        ("container_spec_cpu_quota", 20_000.0),
        ("container_spec_memory_limit_bytes", 67_108_864.0),
        ("container_threads_max", 77.0),
    ] {
        assert_eq!(agent.metric(family, &[&id]), Some(value), "{family}");
    }
    let info = agent.series("plimsoll_container_info", &[&id]).unwrap();
    let runtime = format!("runtime=\"{}\"", engine.name);
    assert!(info.contains(&runtime), "{info}");
}

fn cpu_ns(cgroup: &Cgroup) -> u64 {
    cgroup.field("cpu.stat", "usage_usec").unwrap() * 1000
}

/// While it is frozen the kernel's numbers do not change, and the agent's are the same.
fn standing_still(agent: &Unit, path: &str, cgroup: &Cgroup, inner: &Cgroup) {
    let oracle = || {
        let cpu = |key| inner.field("cpu.stat", key).unwrap();
        [
            cpu_ns(cgroup),
            cpu("nr_throttled"),
            cpu("throttled_usec"),
            cgroup.number("memory.current"),
            cgroup.field("memory.stat", "anon").unwrap(),
            cgroup.field("memory.stat", "file").unwrap(),
        ]
    };
    let workload = poll("the kernel's numbers", || {
        let kernels = oracle();
        let workload = agent.workload(path)?;
        let reading = &workload["reading"];
        let (cpu, memory) = (&reading["cpu"], &reading["memory"]);
        let ours = [
            cpu["usage_ns"].as_u64()?,
            cpu["throttling"]["throttled_periods"].as_u64()?,
            cpu["throttling"]["throttled_ns"].as_u64()? / 1000,
            memory["usage_bytes"].as_u64()?,
            memory["rss_bytes"].as_u64()?,
            memory["cache_bytes"].as_u64()?,
        ];
        let is_frozen = workload["life"]["state"] == "frozen";
        (is_frozen && kernels == ours && kernels == oracle()).then_some(workload)
    });
    let id = format!("id=\"{path}\"");
    let memory = workload["reading"]["memory"]["usage_bytes"].as_f64();
    assert_eq!(agent.metric(MEMORY, &[&id]), memory);
    assert_eq!(agent.metric("plimsoll_container_frozen", &[&id]), Some(1.0));
}
