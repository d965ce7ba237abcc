//! `plimsoll freeze` and `plimsoll thaw`

use std::time::Duration;

use clap::Args;

use super::Format;
use super::actions::show;
use super::failure::Failure;
use super::output::Output;
use crate::api::{Client, FreezeRequest};

/// Stop all processes of a workload where they are
///
/// They keep their memory and stay frozen until `plimsoll thaw`, or until the agent ends: nothing stays
/// frozen that nobody could thaw.
#[derive(Debug, Args)]
pub(super) struct FreezeArgs {
    /// Name, id or cgroup path
    #[arg(value_name = "NAME")]
    workload: String,
    /// Thaw after this, such as `30s`
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    at_most: Option<Duration>,
}

/// Let a frozen workload go on
///
/// Undoes what `plimsoll freeze` or a rule did. A workload that its own engine paused is not ours to
/// thaw: use `docker unpause` or its like.
#[derive(Debug, Args)]
pub(super) struct ThawArgs {
    /// Name, id or cgroup path
    #[arg(value_name = "NAME")]
    workload: String,
}

pub(super) async fn freeze(
    args: FreezeArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let request = FreezeRequest {
        at_most: args.at_most,
    };
    show(&client.freeze(&args.workload, &request).await?, format, out)
}

pub(super) async fn thaw(
    args: ThawArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    show(&client.thaw(&args.workload).await?, format, out)
}
