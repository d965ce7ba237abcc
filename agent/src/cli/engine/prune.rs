//! `prune` of every kind: what nothing needs is removed, after asking.

use std::io::{self, Write};

use clap::Args;
use serde::de::DeserializeOwned;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::super::units;
use super::client::Engine;
use super::filters::{self, Filter};

// No documentation of its own: that would stand in place of the verbs'.
#[derive(Debug, Args)]
pub(super) struct Pruning {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that match: until=24h, label=a, label=a=b, label!=a
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<Filter>,
}

impl Pruning {
    pub(super) fn add(&mut self, name: &str, value: bool) {
        self.filter.push(Filter {
            name: name.to_owned(),
            value: value.to_string(),
        });
    }

    /// Asks the user, then the engine at `path`; `what` is to go.
    pub(super) async fn carry_out<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        engine: &Engine,
    ) -> Result<T, Failure> {
        if !self.force && !is_confirmed(what)? {
            return Err(Failure::new(Exit::Failed, "nothing was removed"));
        }
        let filters = filters::encoded(&self.filter);
        let query = [("filters", filters.as_str())];
        Ok(engine.post_json(path, &query, &()).await?)
    }
}

/// No answer is no.
fn is_confirmed(what: &str) -> io::Result<bool> {
    let mut stderr = io::stderr();
    write!(
        stderr,
        "This will remove {what}.\nAre you sure you want to continue? [y/N] "
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// Prints what is gone under a heading, if anything is.
pub(super) fn print_removed(
    heading: &str,
    lines: &[String],
    out: &mut Output,
) -> Result<(), Failure> {
    if !lines.is_empty() {
        out.text(&format!("{heading}:\n{}\n\n", lines.join("\n")))?;
    }
    Ok(out.flush()?)
}

/// Prints how much room came of it.
pub(super) fn print_freed(bytes: Option<i64>, out: &mut Output) -> Result<(), Failure> {
    let bytes = u64::try_from(bytes.unwrap_or_default()).unwrap_or(0);
    let text = units::traffic(bytes);
    out.text(&format!("Total reclaimed space: {text}\n"))?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::super::Cli;

    #[test]
    fn help_has_the_filters_that_there_are() {
        for (kind, filters) in [
            ("container", "until=24h, label=a"),
            ("image", "until=24h, label=a"),
            ("network", "until=24h, label=a"),
            ("volume", "that match: label=a"),
        ] {
            let cli = Cli::command();
            let group = cli.find_subcommand(kind);
            let prune = group.and_then(|group| group.find_subcommand("prune"));
            let filter = prune.and_then(|prune| {
                let mut arguments = prune.get_arguments();
                arguments.find(|argument| argument.get_id() == "filter")
            });
            let help = filter.and_then(|filter| filter.get_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(filters), "{kind}: {help}");
        }
    }
}
