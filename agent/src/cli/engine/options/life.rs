//! How a container lives on: restarts, checks, logs.

use std::collections::HashMap;
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use clap::Args;

use super::super::super::failure::{Exit, Failure};
use super::amount;
use crate::api::nanoseconds;

/// Of its life.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Life")]
pub(in super::super) struct LifeArgs {
    /// Remove it when it has ended
    #[arg(long)]
    pub(in super::super) rm: bool,
    /// When it is started again: no, always, unless-stopped, on-failure[:TIMES]
    #[arg(long, value_name = "POLICY", value_parser = restart)]
    restart: Option<RestartPolicy>,
    /// Command that tells whether it is healthy
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks
    #[arg(long, value_name = "DURATION", value_parser = nanoseconds)]
    health_interval: Option<i64>,
    /// Longest time of a check
    #[arg(long, value_name = "DURATION", value_parser = nanoseconds)]
    health_timeout: Option<i64>,
    /// Failures in a row that make it unhealthy
    #[arg(long, value_name = "NUMBER")]
    health_retries: Option<i64>,
    /// Time after the start in which failures do not count
    #[arg(long, value_name = "DURATION", value_parser = nanoseconds)]
    health_start_period: Option<i64>,
    /// Time between two checks in the start period
    #[arg(long, value_name = "DURATION", value_parser = nanoseconds)]
    health_start_interval: Option<i64>,
    /// Do not check it, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
    /// Where its output is kept: json-file or none
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// max-size, max-file, mode of the log
    #[arg(long, value_name = "NAME=VALUE", value_parser = amount::pair)]
    log_opt: Vec<(String, String)>,
    /// Write the container's id to a file
    #[arg(long, value_name = "FILE")]
    pub(in super::super) cidfile: Option<PathBuf>,
}

impl LifeArgs {
    pub(super) fn apply(
        self,
        body: &mut ContainerCreateBody,
        host: &mut HostConfig,
    ) -> Result<(), Failure> {
        let failure = |text: &str| Err(Failure::new(Exit::NotRun, text.to_owned()));
        let restarts = self.restart.as_ref().and_then(|policy| policy.name);
        if self.rm && restarts.is_some_and(|name| name != RestartPolicyNameEnum::NO) {
            return failure("conflicting options: cannot specify both --restart and --rm");
        }
        body.healthcheck = self.health()?;
        host.auto_remove = self.rm.then_some(true);
        host.restart_policy = Some(self.restart.unwrap_or(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }));
        if self.log_driver.as_deref() == Some("none") && !self.log_opt.is_empty() {
            return failure("invalid logging opts for driver none");
        }
        let options: HashMap<_, _> = self.log_opt.into_iter().collect();
        if self.log_driver.is_some() || !options.is_empty() {
            host.log_config = Some(HostConfigLogConfig {
                typ: self.log_driver.or(Some(String::new())),
                config: Some(options),
            });
        }
        host.container_id_file = self.cidfile.map(|path| path.display().to_string());
        Ok(())
    }

    fn health(&self) -> Result<Option<HealthConfig>, Failure> {
        let health = HealthConfig {
            test: self
                .health_cmd
                .as_ref()
                .map(|command| vec!["CMD-SHELL".into(), command.clone()]),
            interval: self.health_interval,
            timeout: self.health_timeout,
            retries: self.health_retries,
            start_period: self.health_start_period,
            start_interval: self.health_start_interval,
        };
        let asked = health != HealthConfig::default();
        match (self.no_healthcheck, asked) {
            (true, true) => Err(Failure::new(
                Exit::NotRun,
                "--no-healthcheck conflicts with --health-* options",
            )),
            (true, false) => Ok(Some(HealthConfig {
                test: Some(vec!["NONE".into()]),
                ..HealthConfig::default()
            })),
            (false, true) => Ok(Some(health)),
            (false, false) => Ok(None),
        }
    }
}

/// `always`, `on-failure:3`
pub(in super::super) fn restart(text: &str) -> Result<RestartPolicy, String> {
    let (name, times) = text
        .split_once(':')
        .map_or((text, None), |(name, times)| (name, Some(times)));
    let wrong = || {
        format!("invalid restart policy `{text}`: no, always, unless-stopped, on-failure[:TIMES]")
    };
    let name: RestartPolicyNameEnum = name.parse().map_err(|_| wrong())?;
    if times.is_some() && name != RestartPolicyNameEnum::ON_FAILURE {
        return Err("maximum retry count can only be used with 'on-failure'".into());
    }
    let times = times
        .map(|times| times.parse().map_err(|_| wrong()))
        .transpose()?;
    Ok(RestartPolicy {
        name: Some(name),
        maximum_retry_count: times,
    })
}
