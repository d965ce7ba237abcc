//! `plimsoll why`

use clap::Args;

use super::Format;
use super::failure::Failure;
use super::output::Output;
use crate::api::{Client, Explanation};

/// Explain what is held on a workload, on whose behalf, and why
///
/// Its limits in force with who asked for them and on what evidence, then the last decisions about it.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Name, id or cgroup path
    #[arg(value_name = "NAME")]
    workload: String,
}

pub(super) async fn run(
    args: WhyArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let explanation = client.why(&args.workload).await?;
    show(&explanation, &explanation.lines(), format, out)
}

/// What is held, without what was decided lately.
pub(super) fn show_held(
    mut explanation: Explanation,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    explanation.records.clear();
    show(&explanation, &explanation.lines_in_force(), format, out)
}

fn show(
    explanation: &Explanation,
    lines: &[String],
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    match format {
        Format::Json => out.json_pretty(explanation)?,
        Format::Table => {
            for line in lines {
                out.text(&format!("{line}\n"))?;
            }
        }
    }
    Ok(out.flush()?)
}
