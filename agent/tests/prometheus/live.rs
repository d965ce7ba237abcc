//! The whole thread: kernel → agent → Prometheus → rules and panels.

use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::agent::Agent;
use crate::cgroup::Hierarchies;
use crate::cpu_oracle::CpuOracle;
use crate::dashboard::{Dashboard, Query};
use crate::files::{RULES, exposed_names, metric_names, read, recorded_names};
use crate::held;
use crate::launched;
use crate::load::Load;
use crate::peer::Peer;
use crate::poll;
use crate::server::{Series, Server};
use crate::skip::{lacks, skip};

const TEST: &str = "every_query_has_data";
const PROGRAMS: [&str; 10] = [
    "prometheus",
    "ip",
    "nsenter",
    "unshare",
    "losetup",
    "bash",
    "busybox",
    "dd",
    "head",
    "sleep",
];

/// How long all queries may take to have data: two scrapes, some rule evaluations, a slow host.
const DATA: Duration = Duration::from_secs(60);

/// Alerts of two busy loops under a small quota: pending. Not ContainerCpuNearQuota: a rate over five
/// minutes takes almost as long to be right, where a ratio of two is right at once.
const ALERTS_OF_BURN: [&str; 1] = ["ContainerThrottled"];
/// Alerts of a container whose network was set up from outside, by `nsenter`: firing.
const ALERTS_OF_SHIFT: [&str; 1] = ["NamespaceEnteredFromOtherWorkload"];
/// Alerts of an agent that is not well.
const AGENT_ALERTS: &str = "ALERTS{alertname=~\"PlimsollDown|PlimsollProbeLost\"}";

/// Span of the CPU comparison, and its tolerance.
const CPU_WINDOW_SECONDS: u32 = 30;
const CPU_TOLERANCE: f64 = 0.02;

#[test]
fn every_query_has_data() {
    if lacks(TEST, &PROGRAMS) {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        return skip(TEST, "not root");
    }
    let hierarchies = match Hierarchies::find() {
        Ok(hierarchies) => hierarchies,
        Err(reason) => return skip(TEST, &reason),
    };
    // A temporary directory may be a tmpfs, which makes no block I/O; the build directory is on disk.
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut agent = Agent::start(&held::policy());
    let mut load = Load::start(&hierarchies, scratch.path());
    let server = Server::start(agent.metrics);

    let interfered = held::interfere(&load.held);
    let launched = interfered.and_then(|()| launched::start(&agent, scratch.path()));
    let answered = launched.and_then(|()| answers(&server, &mut load));
    let mut problems = Vec::from_iter(answered.err());
    problems.extend(unknown_names(&agent.scrape()));
    problems.extend(server.sick_rules());
    problems.extend(wrong_alerts(&server, &load));
    problems.extend(wrong_interfaces(&server, &load));
    problems.extend(cpu_differs(&server, &load));
    problems.extend(load.check().err());
    problems.extend(launched::remove(&agent).err());
    agent.daemon.stop();
    problems.extend(unnoticed_end(&server));
    assert!(
        problems.is_empty(),
        "{}\n\nagent:\n{}\nprometheus:\n{}",
        problems.join("\n"),
        agent.daemon.log(),
        server.daemon.log()
    );
}

/// Waits until every query of a panel, every drop-down list and every recorded series has data.
fn answers(server: &Server, load: &mut Load) -> Result<(), String> {
    let dashboard = Dashboard::read();
    let mut waiting = dashboard.queries();
    waiting.extend(dashboard.choices());
    waiting.extend(recorded_names().into_iter().map(|name| Query {
        of: "recording rule".to_owned(),
        expression: name,
    }));
    poll::until(DATA, || {
        load.check()?;
        let mut unanswered = Vec::new();
        waiting.retain(|query| match server.query(&query.expression) {
            Ok(series) if has_data(&series) => false,
            Ok(series) => {
                unanswered.push(format!("{}: {} → {series:?}", query.of, query.expression));
                true
            }
            Err(error) => {
                unanswered.push(format!("{}: {} → {error}", query.of, query.expression));
                true
            }
        });
        if unanswered.is_empty() {
            Ok(())
        } else {
            Err(format!("no data for\n{}", unanswered.join("\n")))
        }
    })
}

/// NaN is what a division by nothing gives: no data.
fn has_data(series: &[Series]) -> bool {
    let mut points = series.iter().flat_map(|one| &one.points);
    points.any(|(_, value)| value.is_finite())
}

/// Metrics that a panel, list or rule names and the agent does not export.
fn unknown_names(exposition: &str) -> Vec<String> {
    let exposed = exposed_names(exposition);
    let mut problems = Vec::new();
    for file in RULES
        .map(|rules| format!("prometheus/{rules}"))
        .into_iter()
        .chain(["grafana/plimsoll.json".to_owned()])
    {
        let text = read(&file);
        let unknown = metric_names(&text)
            .into_iter()
            .filter(|name| !exposed.contains(name));
        problems.extend(unknown.map(|name| format!("{file}: no metric {name}")));
    }
    problems
}

/// Each container must alert, or be about to; the agent must not.
fn wrong_alerts(server: &Server, load: &Load) -> Vec<String> {
    let of_burn = ALERTS_OF_BURN.map(|alert| (alert, &load.burn.name));
    let of_shift = ALERTS_OF_SHIFT.map(|alert| (alert, &load.shift.name));
    let mut problems = Vec::new();
    for (alert, name) in of_burn.into_iter().chain(of_shift) {
        let expression = format!("ALERTS{{alertname=\"{alert}\",name=\"{name}\"}}");
        let seen = poll::until(DATA, || match server.query(&expression) {
            Ok(series) if series.len() == 1 => Ok(()),
            other => Err(format!("{expression} → {other:?}")),
        });
        problems.extend(seen.err());
    }
    match server.query(AGENT_ALERTS) {
        Ok(series) if series.is_empty() => {}
        other => problems.push(format!("{AGENT_ALERTS} → {other:?}")),
    }
    problems
}

/// A container's traffic goes by the names its interfaces have inside.
fn wrong_interfaces(server: &Server, load: &Load) -> Option<String> {
    let metric = format!(
        "container_network_receive_bytes_total{{name=\"{}\"",
        load.shift.name
    );
    let inside = format!("{metric},interface=\"{}\"}} > 0", Peer::INTERFACE);
    match (server.query(&inside), server.query(&format!("{metric}}}"))) {
        (Ok(inside), Ok(all)) if inside.len() == 1 && all.len() == 1 => None,
        other => Some(format!("{inside} → {other:?}")),
    }
}

/// What Prometheus makes of the container's CPU time, against the kernel's own counter.
fn cpu_differs(server: &Server, load: &Load) -> Option<String> {
    thread::scope(|scope| {
        let oracle = CpuOracle::watch(scope, &load.burn);
        let begun = now();
        let metric = format!(
            "container_cpu_usage_seconds_total{{name=\"{}\"}}[{CPU_WINDOW_SECONDS}s]",
            load.burn.name
        );
        let limit = Duration::from_secs(u64::from(CPU_WINDOW_SECONDS)) + DATA;
        // One moment for both queries: old enough that no scrape is under way.
        let sampled = poll::until(limit, || {
            let at = now() - 1.0;
            if at < begun + f64::from(CPU_WINDOW_SECONDS) {
                return Err("not watched for long enough".to_owned());
            }
            let series = server.query_at(&metric, at)?;
            match series.as_slice() {
                [one] if one.points.len() > 2 => Ok((at, one.points.clone())),
                other => Err(format!("{metric} → {other:?}")),
            }
        });
        let (at, points) = match sampled {
            Ok(sampled) => sampled,
            Err(reason) => return Some(reason),
        };
        let seen = match server.query_at(&format!("rate({metric})"), at) {
            Ok(series) => series[0].points[0].1,
            Err(reason) => return Some(reason),
        };
        let kernel = oracle.rate(points[0].0, points[points.len() - 1].0);
        println!(
            "CPU of the busy cgroup: {seen:.5} cores in Prometheus, {kernel:.5} in the kernel"
        );
        let differs = kernel < 0.01 || (seen / kernel - 1.0).abs() > CPU_TOLERANCE;
        differs.then(|| format!("CPU: {seen} cores in Prometheus, {kernel} in the kernel"))
    })
}

/// An agent that has gone must be missed.
fn unnoticed_end(server: &Server) -> Option<String> {
    let missed = poll::until(DATA, || {
        match server.query("ALERTS{alertname=\"PlimsollDown\"}") {
            Ok(series) if series.len() == 1 => Ok(()),
            other => Err(format!("PlimsollDown → {other:?}")),
        }
    });
    missed.err()
}

fn now() -> f64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}
