//! The options of `run` and `create`, and the body they make: that of `POST /containers/create`.

mod amount;
mod attachment;
mod isolation;
mod life;
mod limits;
mod mount;
mod mounts;
mod network;
mod ports;
mod process;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig};
use clap::{ArgAction, Args, ValueEnum};

use super::super::failure::{Exit, Failure};
use super::terminal;
pub(super) use amount::pair;
pub(super) use life::restart;
pub(super) use limits::LimitArgs;
pub(super) use process::{Stream, variable, variables};

/// The label that `--policy` sets.
const POLICY: &str = "plimsoll.policy";

/// Of a container that is made.
#[derive(Clone, Debug, Args)]
pub(super) struct ContainerArgs {
    #[command(flatten)]
    pub(super) process: process::ProcessArgs,
    #[command(flatten)]
    files: mounts::FileArgs,
    #[command(flatten)]
    network: network::NetworkArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    start_limits: limits::StartLimitArgs,
    #[command(flatten)]
    isolation: isolation::IsolationArgs,
    #[command(flatten)]
    pub(super) life: life::LifeArgs,
    #[command(flatten)]
    held: HeldArgs,
    /// Whether an image is fetched; fetching is not there yet, so one that is missing is an error
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Pull::Missing, help_heading = "Files")]
    pull: Pull,
    /// System and architecture, which are this host's
    #[arg(long, value_name = "OS[/ARCHITECTURE]", help_heading = "Files")]
    pub(super) platform: Option<String>,
    /// Print no progress of fetching its image, of which there is none
    #[arg(short, long, help_heading = "Files")]
    quiet: bool,
    /// Has no meaning: nothing is fetched that could be trusted or not
    #[arg(long, hide = true, value_name = "BOOL", action = ArgAction::Set, default_value_t = true,
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: bool,
    /// Something to remember about it
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = pair)]
    annotation: Vec<(String, String)>,
    /// Image and command; with --rootfs the command
    #[arg(value_name = "IMAGE|COMMAND", trailing_var_arg = true, hide = true)]
    positional: Vec<String>,
}

/// What Plimsoll holds a container to and Docker has no word for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
struct HeldArgs {
    /// Name that policies match as the label plimsoll.policy
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Memory above which it is slowed down
    #[arg(long, value_name = "BYTES")]
    memory_high: Option<String>,
    /// Most it may send, such as 20Mbit
    #[arg(long, value_name = "RATE")]
    net_egress: Option<String>,
    /// Most it may receive
    #[arg(long, value_name = "RATE")]
    net_ingress: Option<String>,
}

// Without comments of their own, or `--help` gives each word a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pull {
    Always,
    Missing,
    Never,
}

impl ContainerArgs {
    /// What `POST /containers/create` is sent.
    ///
    /// # Errors
    /// Options that contradict each other, and files that cannot be read.
    pub(super) fn body(self) -> Result<ContainerCreateBody, Failure> {
        if self.pull == Pull::Always {
            return Err(Failure::new(
                Exit::NotRun,
                "--pull always: fetching images is not there yet; see `plimsoll load`",
            ));
        }
        let mut body = ContainerCreateBody::default();
        let mut host = HostConfig::default();
        let mut annotations: HashMap<_, _> = self.annotation.into_iter().collect();
        let mut positional = self.positional.into_iter();
        if self.files.rootfs.is_none() {
            let image = positional.next().ok_or_else(|| {
                Failure::new(
                    Exit::NotRun,
                    "an image is missing: `plimsoll run [OPTIONS] IMAGE [COMMAND]`",
                )
            })?;
            body.image = Some(image);
        }
        let command: Vec<String> = positional.collect();
        body.cmd = (!command.is_empty()).then_some(command);
        self.process.apply(&mut body, &mut host)?;
        self.files.apply(&mut body, &mut host, &mut annotations)?;
        self.network.apply(&mut body, &mut host)?;
        self.limits.apply(&mut host);
        self.start_limits.apply(&mut host);
        self.isolation.apply(&mut host)?;
        self.life.apply(&mut body, &mut host)?;
        if let Some(policy) = self.held.policy.clone() {
            let labels = body.labels.get_or_insert_default();
            labels.insert(POLICY.to_owned(), policy);
        }
        self.held.apply(&mut annotations);
        host.annotations = (!annotations.is_empty()).then_some(annotations);
        let size = terminal::size().filter(|_| body.tty == Some(true));
        host.console_size = size.map(|size| vec![size.rows.into(), size.columns.into()]);
        body.host_config = Some(host);
        Ok(body)
    }
}

impl HeldArgs {
    fn apply(self, annotations: &mut HashMap<String, String>) {
        let held = [
            ("plimsoll.memory-high", self.memory_high),
            ("plimsoll.net-egress", self.net_egress),
            ("plimsoll.net-ingress", self.net_ingress),
        ];
        let held = held
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        annotations.extend(held);
    }
}
