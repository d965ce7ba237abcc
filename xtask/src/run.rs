//! `cargo xtask run`: the agent, built in release, as root, with the default configuration.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, host, setup, workspace};

/// Below the workspace's root.
const AGENT: &str = "target/release/plimsoll";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Further arguments of `plimsoll agent`
    #[arg(last = true)]
    agent: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if host::is_root() {
        setup::for_agent()?;
    }
    println!("run: building the agent");
    command::run(workspace::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package=plimsoll",
        "--bin=plimsoll",
    ]))?;
    if !host::is_root() {
        bail!(
            "the agent is built, but loads programs into the kernel and so must be root: \
             `sudo {AGENT} agent`"
        );
    }
    println!("run: {AGENT} agent {}", args.agent.join(" "));
    let error = Command::new(workspace::root().join(AGENT))
        .arg("agent")
        .args(&args.agent)
        .exec();
    bail!("cannot start {AGENT}: {error}")
}
