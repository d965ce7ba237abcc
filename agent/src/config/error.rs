//! Why a configuration is refused.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one file. Never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct ConfigErrors {
    pub path: PathBuf,
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Key path (`agent.tick`), place (`line 3, column 7`), or `None` for the file as a whole.
    pub place: Option<String>,
    /// What is wrong and what is expected.
    pub what: String,
}

impl ConfigErrors {
    fn summary(&self) -> String {
        let path = self.path.display();
        match self.problems.as_slice() {
            [only] => format!("configuration {path}: {only}"),
            several => {
                let list: Vec<String> = several.iter().map(ToString::to_string).collect();
                let count = list.len();
                format!(
                    "configuration {path}: {count} problems: {}",
                    list.join("; ")
                )
            }
        }
    }
}

impl Problem {
    pub(super) fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: Some(place.into()),
            what: what.into(),
        }
    }

    pub(super) fn of_file(what: impl Into<String>) -> Self {
        Self {
            place: None,
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}
