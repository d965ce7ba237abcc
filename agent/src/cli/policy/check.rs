//! `plimsoll policy check`

use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::note;
use super::super::output::Output;
use crate::cgroup::Layout;
use crate::config;
use crate::policy::sense::degradations;
use crate::policy::{PolicySet, describe, load, shortfalls_on};

/// Tells what the file means; what this host cannot do of it is worth knowing, and no error.
pub(super) fn run(file: Option<PathBuf>, out: &mut Output) -> Result<(), Failure> {
    let file = match file {
        Some(file) => file,
        None => config::load(None)?.policy.file,
    };
    let set = load(&file)?;
    out.text(&describe(&set))?;
    out.flush()?;
    for reason in not_here(&set) {
        note(&reason);
    }
    note(&format!("{}: ok", shown(&file)));
    Ok(())
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// What of it no workload of this host can have, or less well, and why.
fn not_here(set: &PolicySet) -> Vec<String> {
    let layout = match Layout::detect() {
        Ok(layout) => layout,
        Err(error) => return vec![format!("what this host can do is not known: {error}")],
    };
    let not_held = set.policies.iter().flat_map(|policy| {
        let shortfalls = shortfalls_on(&layout, policy).into_iter();
        shortfalls.map(|one| format!("on this host, policy {}: {one}", policy.name))
    });
    let not_seen = degradations(&layout, set)
        .into_iter()
        .map(|one| format!("{}: {}: {}", one.what, one.effect, one.reason));
    not_held.chain(not_seen).collect()
}
