//! `plimsoll docs`, hidden: the reference pages under `docs/`, for `cargo xtask docs`.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output::Output;
use crate::config;

/// Print a reference page as Markdown
#[derive(Debug, Args)]
pub(super) struct DocsArgs {
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    /// docs/config.md
    Config,
}

pub(super) fn run(args: &DocsArgs, out: &mut Output) -> Result<(), Failure> {
    let page = match args.page {
        Page::Config => config::reference_markdown(),
    };
    out.text(&page)?;
    Ok(out.flush()?)
}
