//! The policy file as a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::parse;
use super::problem::{PolicyErrors, Problem};
use super::set::PolicySet;

/// Reads and checks a policy file.
///
/// # Errors
/// Every problem of the file: that it cannot be read, its syntax errors, or all that is wrong with
/// what it says.
pub fn load(path: &Path) -> Result<PolicySet, PolicyErrors> {
    let problems = match fs::read_to_string(path) {
        Ok(text) => match parse(&text) {
            Ok(set) => return Ok(set),
            Err(problems) => problems,
        },
        Err(error) => vec![Problem {
            line: None,
            key: String::new(),
            what: format!("cannot be read: {error}"),
        }],
    };
    Err(PolicyErrors {
        path: PathBuf::from(path),
        problems,
    })
}
