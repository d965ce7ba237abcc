//! Why a policy file is refused.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one file. Never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct PolicyErrors {
    pub path: PathBuf,
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// Key path, `policy[2].rule[0].then[1].set`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to write.
    pub what: String,
}

impl PolicyErrors {
    /// One line for each problem, in the form compilers use: `PATH:LINE: KEY: what`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let path = self.path.display();
        let line = |problem: &Problem| {
            let line = problem.line.map(|line| format!(":{line}"));
            let key = Some(problem.key.as_str()).filter(|key| !key.is_empty());
            let key = key.map(|key| format!("{key}: "));
            let (line, key) = (line.unwrap_or_default(), key.unwrap_or_default());
            format!("{path}{line}: {key}{}", problem.what)
        };
        self.problems.iter().map(line).collect()
    }

    fn summary(&self) -> String {
        let path = self.path.display();
        match self.problems.as_slice() {
            [only] => format!("policy file {path}: {only}"),
            several => {
                let list: Vec<String> = several.iter().map(ToString::to_string).collect();
                let count = list.len();
                format!("policy file {path}: {count} problems: {}", list.join("; "))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}
