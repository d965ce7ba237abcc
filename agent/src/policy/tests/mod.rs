//! The file as a whole: what is read, what is refused and how, what is matched, what is said.

#![allow(clippy::unwrap_used)]

mod bad;
mod good;
mod matching;
mod pages;
mod robust;
mod ties;

use super::{PolicySet, parse};

/// Everything that a policy file can say, or close to it.
const WHOLE: &str = include_str!("whole.toml");

fn read(text: &str) -> PolicySet {
    match parse(text) {
        Ok(set) => set,
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("refused:\n{}", lines.join("\n"));
        }
    }
}
