//! What a value may be beyond its type.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use humantime::format_duration;

use super::error::Problem;
use super::schema::Config;

const SHORTEST_TICK: Duration = Duration::from_millis(100);
const LONGEST_TICK: Duration = Duration::from_secs(60);
const LONGEST_HISTORY: Duration = Duration::from_secs(24 * 3_600);
const MOST_EVENTS: usize = 1_000_000;
const AUDIT_BYTES: RangeInclusive<u64> = 65_536..=1_073_741_824;
const LOG_FILES: RangeInclusive<u32> = 1..=1_000;
const AUDIT_FILES: RangeInclusive<u32> = 1..=100;
/// `sun_path` of `struct sockaddr_un` less its terminating zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Everything out of range.
pub(super) fn check(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expect = |fine: bool, key: &str, what: String| {
        if !fine {
            problems.push(Problem::at(key, what));
        }
    };

    let agent = &config.agent;
    let socket = agent.socket.as_os_str().len();
    expect(
        agent.socket.is_absolute() && socket <= LONGEST_SOCKET_PATH,
        "agent.socket",
        format!(
            "`{}` must be an absolute path of at most {LONGEST_SOCKET_PATH} bytes",
            agent.socket.display()
        ),
    );
    expect(
        (SHORTEST_TICK..=LONGEST_TICK).contains(&agent.tick),
        "agent.tick",
        format!(
            "{} is out of range; expected {} to {}",
            format_duration(agent.tick),
            format_duration(SHORTEST_TICK),
            format_duration(LONGEST_TICK)
        ),
    );
    expect(
        agent.idle_refresh >= agent.tick,
        "agent.idle_refresh",
        format!(
            "{} is shorter than agent.tick ({}); expected at least that",
            format_duration(agent.idle_refresh),
            format_duration(agent.tick)
        ),
    );
    expect(
        agent.event_history <= MOST_EVENTS,
        "agent.event_history",
        format!(
            "{} is out of range; expected 0 to {MOST_EVENTS}",
            agent.event_history
        ),
    );

    let containers = &config.containers;
    expect(
        containers.max_workloads >= 1,
        "containers.max_workloads",
        "0 is out of range; expected 1 or more".into(),
    );
    expect(
        containers
            .whitelisted_container_labels
            .iter()
            .all(|label| !label.is_empty()),
        "containers.whitelisted_container_labels",
        "an empty label name; expected names such as `com.docker.compose.service`".into(),
    );

    expect(
        config.policy.history <= LONGEST_HISTORY,
        "policy.history",
        format!(
            "{} is out of range; expected at most {}",
            format_duration(config.policy.history),
            format_duration(LONGEST_HISTORY)
        ),
    );
    expect(
        config.enforce.state_dir.is_absolute(),
        "enforce.state_dir",
        format!(
            "`{}` must be an absolute path",
            config.enforce.state_dir.display()
        ),
    );

    let attribution = &config.attribution;
    for (key, path) in [
        ("attribution.docker_socket", &attribution.docker_socket),
        ("attribution.podman_socket", &attribution.podman_socket),
        (
            "attribution.containers_storage",
            &attribution.containers_storage,
        ),
        (
            "attribution.containerd_state",
            &attribution.containerd_state,
        ),
        ("audit.path", &config.audit.path),
        ("policy.file", &config.policy.file),
    ] {
        expect(
            path.is_absolute() || path == Path::new(""),
            key,
            format!(
                "`{}` must be an absolute path, or empty for off",
                path.display()
            ),
        );
    }
    expect(
        attribution.timeout > Duration::ZERO,
        "attribution.timeout",
        "0s is out of range; expected more".into(),
    );

    let engine = &config.engine;
    for (key, path) in [
        ("engine.data_dir", &engine.data_dir),
        ("engine.run_dir", &engine.run_dir),
    ] {
        expect(
            path.is_absolute(),
            key,
            format!("`{}` must be an absolute path", path.display()),
        );
    }
    expect(
        LOG_FILES.contains(&engine.log_max_files),
        "engine.log_max_files",
        format!(
            "{} is out of range; expected {} to {}",
            engine.log_max_files,
            LOG_FILES.start(),
            LOG_FILES.end()
        ),
    );

    let audit = &config.audit;
    expect(
        AUDIT_BYTES.contains(&audit.max_bytes),
        "audit.max_bytes",
        format!(
            "{} is out of range; expected {} to {}",
            audit.max_bytes,
            AUDIT_BYTES.start(),
            AUDIT_BYTES.end()
        ),
    );
    expect(
        AUDIT_FILES.contains(&audit.files),
        "audit.files",
        format!(
            "{} is out of range; expected {} to {}",
            audit.files,
            AUDIT_FILES.start(),
            AUDIT_FILES.end()
        ),
    );
    problems
}
