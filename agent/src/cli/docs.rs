//! `plimsoll docs`, hidden: the reference pages under `docs/`, for `cargo xtask docs`.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output::Output;
use crate::config;
use crate::policy;

/// Print a reference page as Markdown
#[derive(Debug, Args)]
pub(super) struct DocsArgs {
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    /// docs/config.md
    Config,
    /// docs/metrics.md
    Metrics,
    /// docs/policy-reference.md
    Policy,
}

pub(super) fn run(
    args: &DocsArgs,
    metrics_reference: fn() -> String,
    out: &mut Output,
) -> Result<(), Failure> {
    let page = match args.page {
        Page::Config => config::reference_markdown(),
        Page::Metrics => metrics_reference(),
        Page::Policy => policy::policy_reference_markdown(),
    };
    out.text(&page)?;
    Ok(out.flush()?)
}
