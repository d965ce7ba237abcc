//! Imports between the agent's rooms follow the arrows of `docs/architecture.md`.
//!
//! The tokens of every file are read for paths that leave the file's room, written
//! `crate::room::…` or `super::…`, wherever they stand: in `use`, in code, in macros.

mod imports;
mod table;

use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};

use crate::workspace;

const SOURCES: &str = "agent/src";

pub(super) fn check(root: &Path) -> Result<()> {
    let sources = root.join(SOURCES);
    let files =
        workspace::files_below(&sources, "rs").with_context(|| format!("cannot list {SOURCES}"))?;
    let mut wrong = Vec::new();
    for file in &files {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let inside = file.strip_prefix(&sources).unwrap_or(file);
        for (line, problem) in problems(&module_path(inside), &text)
            .with_context(|| format!("{SOURCES}/{}", inside.display()))?
        {
            wrong.push(format!("{SOURCES}/{}:{line}: {problem}", inside.display()));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    println!("  {} files follow the arrows", files.len());
    Ok(())
}

/// What is wrong in one file, by line. `module` is the file's own path below the crate's root.
fn problems(module: &[String], text: &str) -> Result<Vec<(usize, String)>> {
    let Some(room) = module.first() else {
        // The crate's root and `main` wire all rooms.
        return Ok(Vec::new());
    };
    let Some(allowed) = table::allowed(room) else {
        return Ok(vec![(
            1,
            format!("room `{room}` has no arrows yet: {}", table::WHERE),
        )]);
    };
    let imports = imports::of(text, module.len())?;
    Ok(imports
        .into_iter()
        .filter(|import| import.room != *room && !allowed.contains(&import.room.as_str()))
        .map(|import| {
            let forbidden = format!(
                "`{room}` must not import `{}`; it may import {}: {}",
                import.room,
                listed(allowed),
                table::WHERE
            );
            (import.line, forbidden)
        })
        .collect())
}

fn listed(rooms: &[&str]) -> String {
    if rooms.is_empty() {
        return "no other room".to_owned();
    }
    rooms.join(", ")
}

/// `kernel/stream.rs` is the module `kernel::stream`, `kernel/mod.rs` is `kernel`; `lib.rs` and
/// `main.rs` are the root.
fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<String> = file
        .with_extension("")
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let last = path.last().map(String::as_str);
    let is_root = path.len() == 1 && matches!(last, Some("lib" | "main"));
    if is_root || last == Some("mod") {
        path.pop();
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn in_file(file: &str, text: &str) -> Vec<(usize, String)> {
        problems(&module_path(Path::new(file)), text).unwrap()
    }

    #[test]
    fn an_import_along_the_arrow_passes() {
        let text =
            "use crate::cgroup::CgroupKey;\nuse crate::kernel::Stream;\nuse plimsoll_abi::map;";
        assert_eq!(in_file("ledger/mod.rs", text), []);
    }

    #[test]
    fn an_import_against_the_arrow_names_line_and_rooms() {
        let found = in_file("kernel/stream.rs", "\nuse crate::ledger::Snapshot;\n");
        let [(2, message)] = found.as_slice() else {
            unreachable!("{found:?}");
        };
        assert!(
            message.contains("`kernel` must not import `ledger`"),
            "{message}"
        );
    }

    #[test]
    fn a_leaf_imports_no_room_and_not_the_kernel_abi() {
        let text = "use crate::config::Config;\nuse plimsoll_abi::map;";
        let lines: Vec<_> = in_file("cgroup/files.rs", text)
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(lines, [1, 2]);
    }

    #[test]
    fn nobody_imports_app_but_the_root() {
        assert_eq!(in_file("cli/agent.rs", "use crate::app::run;").len(), 1);
        assert_eq!(in_file("main.rs", "use crate::app::run;"), []);
    }

    #[test]
    fn a_new_room_must_be_given_arrows() {
        let found = in_file("cellar/mod.rs", "");
        assert!(
            found
                .iter()
                .any(|(_, message)| message.contains("no arrows yet"))
        );
    }

    #[test]
    fn a_rooms_own_modules_are_free() {
        let text = "use super::layout::Layout;\nuse crate::kernel::probe::Probe;";
        assert_eq!(in_file("kernel/load/programs.rs", text), []);
    }
}
