//! All that is known of one container.

use std::path::Path;

use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerInspectResponse, ContainerState, HostConfig,
    NetworkSettings,
};

use super::EngineError;
use super::cell::Cell;
use super::handle::{Engine, Shared};
use super::model::{Life, Phase, Settings};
use super::parts::Parts;
use super::status;

/// Docker's word for an instant that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Engine {
    /// Looks at a container; `size`: how much it wrote, which takes time.
    ///
    /// # Errors
    /// There is none.
    pub async fn inspect(
        &self,
        wanted: &str,
        size: bool,
    ) -> Result<ContainerInspectResponse, EngineError> {
        let cell = self.cell(wanted)?;
        self.blocking(move |shared| Ok(shared.inspect(&cell, size)))
            .await
    }
}

impl Shared {
    fn inspect(&self, cell: &Cell, size: bool) -> ContainerInspectResponse {
        let record = cell.record();
        let (settings, life) = (&record.settings, &record.life);
        let command = self.parts.command(&settings.body);
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let file = |name: &str| Some(cell.dir.path().join(name).display().to_string());
        ContainerInspectResponse {
            id: Some(cell.id.to_string()),
            created: Some(settings.created.clone()),
            path: Some(command.first().cloned().unwrap_or_default()),
            args: Some(command.get(1..).unwrap_or_default().to_vec()),
            state: Some(state(life)),
            image: Some(settings.image.clone().unwrap_or_default()),
            resolv_conf_path: file("resolv.conf"),
            hostname_path: file("hostname"),
            hosts_path: file("hosts"),
            log_path: Some(cell.dir.log().display().to_string()),
            name: Some(format!("/{}", settings.name)),
            restart_count: Some(i64::from(life.restart_count)),
            driver: Some("overlay2".to_owned()),
            platform: Some("linux".to_owned()),
            mount_label: Some(String::new()),
            process_label: Some(String::new()),
            app_armor_profile: Some(String::new()),
            exec_ids: Some(self.execs.of(&cell.id)).filter(|ids| !ids.is_empty()),
            host_config: Some(host_config(settings, &self.parts)),
            size_rw: size.then(|| bytes(self.parts.written_bytes(settings, &cell.dir))),
            size_root_fs: size.then(|| bytes(self.parts.all_bytes(settings, &cell.dir))),
            mounts: Some(self.parts.mount_points(&settings.mounts)),
            config: Some(config(&settings.body)),
            network_settings: Some(NetworkSettings {
                sandbox_id: life.process.map(|_| cell.id.to_string()),
                sandbox_key: life
                    .process
                    .map(|process| format!("/proc/{}/ns/net", process.pid)),
                ports: Some(self.parts.port_map(settings)),
                networks: Some(self.parts.networks_of(settings)),
            }),
            ..ContainerInspectResponse::default()
        }
    }
}

fn host_config(settings: &Settings, parts: &Parts) -> HostConfig {
    let mut host = settings.host().cloned().unwrap_or_default();
    parts.show_defaults(&mut host);
    let parent = Path::new(&settings.cgroup).parent();
    host.cgroup_parent = parent.map(|parent| parent.display().to_string());
    host
}

fn state(life: &Life) -> ContainerState {
    let never = || NEVER.to_owned();
    let phase = status::shown(life);
    ContainerState {
        status: Some(status::state(life)),
        running: Some(matches!(phase, Phase::Running | Phase::Restarting)),
        paused: Some(life.paused),
        restarting: Some(phase == Phase::Restarting),
        oom_killed: Some(life.oom_killed),
        dead: Some(false),
        pid: Some(life.process.map_or(0, |process| i64::from(process.pid))),
        exit_code: Some(life.exit_code),
        error: Some(life.error.clone()),
        started_at: Some(life.started_at.clone().unwrap_or_else(never)),
        finished_at: Some(life.finished_at.clone().unwrap_or_else(never)),
        health: life.health.clone(),
    }
}

fn config(body: &ContainerCreateBody) -> ContainerConfig {
    let body = body.clone();
    ContainerConfig {
        hostname: body.hostname,
        domainname: body.domainname,
        user: body.user,
        attach_stdin: body.attach_stdin,
        attach_stdout: body.attach_stdout,
        attach_stderr: body.attach_stderr,
        exposed_ports: body.exposed_ports,
        tty: body.tty,
        open_stdin: body.open_stdin,
        stdin_once: body.stdin_once,
        env: body.env,
        cmd: body.cmd,
        healthcheck: body.healthcheck,
        args_escaped: body.args_escaped,
        image: body.image,
        volumes: body.volumes,
        working_dir: body.working_dir,
        entrypoint: body.entrypoint,
        network_disabled: body.network_disabled,
        on_build: body.on_build,
        labels: body.labels,
        stop_signal: body.stop_signal,
        stop_timeout: body.stop_timeout,
        shell: body.shell,
    }
}
