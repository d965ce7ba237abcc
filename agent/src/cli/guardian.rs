//! `plimsoll guardian`: what the agent starts to outlive it by a moment. Nobody else does.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use crate::enforce::guardian;

/// Give back what an agent held when it ends without doing so itself
#[derive(Debug, Args)]
pub(super) struct GuardianArgs {
    /// Where the agent's journal is
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The agent, which must be the parent, and hold the other end of standard input
    #[arg(long, value_name = "PID")]
    agent_pid: u32,
}

pub(super) fn run(args: &GuardianArgs) -> Result<(), Failure> {
    guardian::run(&args.state_dir, args.agent_pid)
        .map_err(|reason| Failure::new(Exit::Failed, reason))
}
