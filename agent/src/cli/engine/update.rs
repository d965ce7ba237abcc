//! `plimsoll update`

use bollard::models::{ContainerUpdateBody, ContainerUpdateResponse, HostConfig, RestartPolicy};
use clap::Args;

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, segment};
use super::names::each;
use super::options::{self, LimitArgs};

/// Change the limits and the restart policy of containers, whether they run or not
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    limits: LimitArgs,
    /// When it is started again: no, always, unless-stopped, on-failure[:TIMES]
    #[arg(long, value_name = "POLICY", value_parser = options::restart)]
    restart: Option<RestartPolicy>,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

pub(super) async fn run(
    args: UpdateArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut host = HostConfig::default();
    args.limits.apply(&mut host);
    let body = ContainerUpdateBody {
        nano_cpus: host.nano_cpus,
        cpu_shares: host.cpu_shares,
        cpu_period: host.cpu_period,
        cpu_quota: host.cpu_quota,
        cpuset_cpus: host.cpuset_cpus,
        cpuset_mems: host.cpuset_mems,
        memory: host.memory,
        memory_reservation: host.memory_reservation,
        memory_swap: host.memory_swap,
        pids_limit: host.pids_limit,
        blkio_weight: host.blkio_weight,
        restart_policy: args.restart,
        ..ContainerUpdateBody::default()
    };
    if body == ContainerUpdateBody::default() {
        return Err(Failure::new(
            Exit::Failed,
            "you must provide one or more flags",
        ));
    }
    each(&args.names, "update", engine, out, async |name| {
        let path = format!("/containers/{}/update", segment(name));
        let updated: ContainerUpdateResponse = engine.post_json(&path, &[], &body).await?;
        for warning in updated.warnings.iter().flatten() {
            note(&format!("warning: {warning}"));
        }
        Ok(name.to_owned())
    })
    .await
}
