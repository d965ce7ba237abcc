//! What SIGHUP can change, and what only a restart can.

use super::schema::{AttributionConfig, AuditConfig, Config, EngineConfig, ProbesConfig};

/// Key paths whose values differ between `old` and `new` and that only a restart changes: addresses
/// that are bound, probes that are attached, buffers that are sized and engines that are dialled at
/// start.
#[must_use]
pub fn changes_needing_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    // Taken apart by name, so that a new key cannot be forgotten here.
    let ProbesConfig {
        network,
        io,
        scheduler,
        process,
        namespace,
        oom,
        tasks,
        run_time_stats,
    } = &old.probes;
    let AttributionConfig {
        docker_socket,
        podman_socket,
        containers_storage,
        containerd_state,
        timeout,
    } = &old.attribution;
    let AuditConfig {
        path,
        max_bytes,
        files,
    } = &old.audit;
    let EngineConfig {
        enable,
        data_dir,
        run_dir,
        log_max_bytes,
        log_max_files,
        stop_timeout,
    } = &old.engine;
    let (probes, engines) = (&new.probes, &new.attribution);
    let changed = [
        ("agent.socket", old.agent.socket != new.agent.socket),
        (
            "agent.event_history",
            old.agent.event_history != new.agent.event_history,
        ),
        ("log.format", old.log.format != new.log.format),
        ("log.bpf", old.log.bpf != new.log.bpf),
        ("metrics.listen", old.metrics.listen != new.metrics.listen),
        ("probes.network", *network != probes.network),
        ("probes.io", *io != probes.io),
        ("probes.scheduler", *scheduler != probes.scheduler),
        ("probes.process", *process != probes.process),
        ("probes.namespace", *namespace != probes.namespace),
        ("probes.oom", *oom != probes.oom),
        ("probes.tasks", *tasks != probes.tasks),
        (
            "probes.run_time_stats",
            *run_time_stats != probes.run_time_stats,
        ),
        (
            "attribution.docker_socket",
            *docker_socket != engines.docker_socket,
        ),
        (
            "attribution.podman_socket",
            *podman_socket != engines.podman_socket,
        ),
        (
            "attribution.containers_storage",
            *containers_storage != engines.containers_storage,
        ),
        (
            "attribution.containerd_state",
            *containerd_state != engines.containerd_state,
        ),
        ("attribution.timeout", *timeout != engines.timeout),
        ("policy.file", old.policy.file != new.policy.file),
        ("policy.history", old.policy.history != new.policy.history),
        ("audit.path", *path != new.audit.path),
        ("audit.max_bytes", *max_bytes != new.audit.max_bytes),
        ("audit.files", *files != new.audit.files),
        ("engine.enable", *enable != new.engine.enable),
        ("engine.data_dir", *data_dir != new.engine.data_dir),
        ("engine.run_dir", *run_dir != new.engine.run_dir),
        (
            "engine.log_max_bytes",
            *log_max_bytes != new.engine.log_max_bytes,
        ),
        (
            "engine.log_max_files",
            *log_max_files != new.engine.log_max_files,
        ),
        (
            "engine.stop_timeout",
            *stop_timeout != new.engine.stop_timeout,
        ),
        (
            "enforce.state_dir",
            old.enforce.state_dir != new.enforce.state_dir,
        ),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::{keys, parse};

    #[test]
    fn the_same_needs_nothing() {
        let config = Config::default();
        assert!(changes_needing_restart(&config, &config.clone()).is_empty());
    }

    #[test]
    fn every_probe_switch_needs_a_restart() {
        let default = Config::default();
        let probes = keys::sections()
            .into_iter()
            .find(|s| s.name == "probes")
            .unwrap();
        for key in probes.keys {
            let flipped = !key.default.as_bool().unwrap();
            let new = parse(&format!("probes.{} = {flipped}", key.name)).unwrap();
            let needed = changes_needing_restart(&default, &new);
            assert_eq!(needed, [format!("probes.{}", key.name)]);
        }
    }

    #[test]
    fn engines_audit_journal_and_the_form_of_the_log_need_a_restart() {
        let new = parse(
            "[attribution]\ndocker_socket = ''\npodman_socket = ''\ncontainers_storage = '/c'\n\
             containerd_state = '/d'\ntimeout = '1s'\n\
             [policy]\nfile = ''\nhistory = '0s'\n\
             [audit]\npath = ''\nmax_bytes = 65536\nfiles = 1\n\
             [enforce]\nstate_dir = '/s'\nmode = 'monitor'\n[log]\nformat = 'json'\nbpf = 'info'\n",
        );
        let needed = changes_needing_restart(&Config::default(), &new.unwrap());
        let expected = [
            "log.format",
            "log.bpf",
            "attribution.docker_socket",
            "attribution.podman_socket",
            "attribution.containers_storage",
            "attribution.containerd_state",
            "attribution.timeout",
            "policy.file",
            "policy.history",
            "audit.path",
            "audit.max_bytes",
            "audit.files",
            "enforce.state_dir",
        ];
        assert_eq!(needed, expected);
    }

    #[test]
    fn addresses_need_a_restart_and_the_rest_does_not() {
        let new = parse(
            "[agent]\nsocket = '/run/other.sock'\ntick = '2s'\nevent_history = 5\n\
             [metrics]\nlisten = '127.0.0.1:1'\ntimestamps = true\n[log]\nlevel = 'debug'\n",
        );
        let needed = changes_needing_restart(&Config::default(), &new.unwrap());
        assert_eq!(
            needed,
            ["agent.socket", "agent.event_history", "metrics.listen"]
        );
    }
}
