//! SIGHUP: the file is read again; what can change does, what cannot is named.

use tokio::sync::watch;
use tokio::task::JoinError;

use super::error::Error;
use super::hold;
use super::logging;
use crate::api::Hold;
use crate::config::{self, Config, Source};
use crate::ledger::Settings;
use crate::metrics::Options;

/// Settings that parts watch while they run.
pub(super) struct Live {
    pub(super) ledger: watch::Sender<Settings>,
    pub(super) metrics: watch::Sender<Options>,
}

impl Live {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            ledger: watch::Sender::new(settings(config)),
            metrics: watch::Sender::new(options(config)),
        }
    }
}

/// Keeps the configuration in force.
pub(super) struct Reloader {
    config: Config,
    source: Source,
    live: Live,
    hold: Hold,
}

impl Reloader {
    pub(super) fn new(config: Config, source: Source, live: Live, hold: Hold) -> Self {
        Self {
            config,
            source,
            live,
            hold,
        }
    }

    /// Reads both files again. A bad one changes nothing.
    pub(super) async fn reload(&mut self) {
        self.reload_configuration();
        let mode = hold::mode(self.config.enforce.mode);
        if let Err(error) = self.hold.enforce.set_mode(mode).await {
            tracing::error!(%error, "the mode of enforcement did not change");
        }
        match self.hold.reload().await {
            Ok(()) => tracing::info!("policies reloaded"),
            Err(error) => {
                tracing::error!(%error, "policies not reloaded; the old ones stay in force");
            }
        }
    }

    fn reload_configuration(&mut self) {
        let new = match self.source.load() {
            Ok(new) => new,
            Err(errors) => {
                tracing::error!(%errors, "configuration not reloaded; the old one stays in force");
                return;
            }
        };
        for key in config::changes_needing_restart(&self.config, &new) {
            tracing::warn!(
                key,
                "this change needs a restart; the old value stays in force"
            );
        }
        logging::set_level(new.log.level);
        self.live.ledger.send_replace(settings(&new));
        self.live.metrics.send_replace(options(&new));
        // What needs a restart is compared with what is in force, not with what was asked last.
        let in_force = &self.config;
        self.config = Config {
            agent: config::AgentConfig {
                socket: in_force.agent.socket.clone(),
                event_history: in_force.agent.event_history,
                ..new.agent
            },
            log: config::LogConfig {
                format: in_force.log.format,
                bpf: in_force.log.bpf,
                ..new.log
            },
            metrics: config::MetricsConfig {
                listen: in_force.metrics.listen,
                ..new.metrics
            },
            containers: new.containers,
            probes: in_force.probes.clone(),
            attribution: in_force.attribution.clone(),
            audit: in_force.audit.clone(),
            engine: in_force.engine.clone(),
            policy: in_force.policy.clone(),
            enforce: config::EnforceConfig {
                state_dir: in_force.enforce.state_dir.clone(),
                ..new.enforce
            },
        };
        tracing::info!("configuration reloaded");
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        tick: config.agent.tick,
        idle_refresh: config.agent.idle_refresh,
        retain_dead: config.metrics.retain_dead,
        max_workloads: config.containers.max_workloads,
    }
}

fn options(config: &Config) -> Options {
    Options {
        metrics: config.metrics.clone(),
        containers: config.containers.clone(),
    }
}

/// Why a part that should run until it is told to stop has ended.
pub(super) fn ended<E>(part: &'static str, result: Result<Result<(), E>, JoinError>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    match result {
        Ok(Ok(())) => Error::Ended(part),
        Ok(Err(error)) => Error::Failed {
            part,
            source: Box::new(error),
        },
        Err(error) => Error::Failed {
            part,
            source: Box::new(error),
        },
    }
}
