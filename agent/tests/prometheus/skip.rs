//! What this host cannot do.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// File that collects the skips of a whole run, one `<test name>: <reason>` a line.
const SKIPS: &str = "PLIMSOLL_SKIPS";

/// Says that `test` is skipped and why.
pub(crate) fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os(SKIPS) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// True, and said, if one of the programs is not installed.
pub(crate) fn lacks(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = programs.iter().find(|program| {
        !std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
    });
    if let Some(program) = missing {
        skip(test, &format!("{program} is not installed"));
    }
    missing.is_some()
}
