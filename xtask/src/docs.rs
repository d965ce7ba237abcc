//! `cargo xtask docs`: reference pages that the agent prints of itself.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{command, workspace};

/// Page under `docs/`, and what `plimsoll docs` calls it.
const PAGES: [(&str, &str); 3] = [
    ("docs/metrics.md", "metrics"),
    ("docs/config.md", "config"),
    ("docs/policy-reference.md", "policy"),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a page is not as the agent prints it
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    for (page, subject) in PAGES {
        let path = workspace::root().join(page);
        let text = printed(subject)?;
        if fs::read_to_string(&path).is_ok_and(|current| current == text) {
            println!("docs: {page} is up to date");
            continue;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {page}"))?;
        println!("docs: wrote {page}");
    }
    Ok(())
}

/// Fails unless all pages are as the agent prints them.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for (page, subject) in PAGES {
        let current = fs::read_to_string(workspace::root().join(page)).unwrap_or_default();
        if current != printed(subject)? {
            stale.push(page);
        }
    }
    if !stale.is_empty() {
        bail!(
            "{} differ from what the agent prints; `cargo xtask docs` mends it",
            stale.join(", ")
        );
    }
    Ok(())
}

fn printed(subject: &str) -> Result<String> {
    let text = command::output(workspace::cargo().args([
        "run",
        "--quiet",
        "--locked",
        "--bin=plimsoll",
        "--",
        "docs",
        subject,
    ]))?;
    if text.trim().is_empty() {
        bail!("`plimsoll docs {subject}` printed nothing");
    }
    Ok(text)
}
