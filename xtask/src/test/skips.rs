//! Tests that could not run, against those that the repository expects not to.

use std::collections::BTreeSet;
use std::fmt;

/// The list, below the workspace's root: a test name a line, `#` begins a comment.
pub(super) const EXPECTED: &str = "agent/tests/expected-skips";

/// A test that could not run on this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skip {
    pub(crate) test: String,
    pub(crate) reason: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.test, self.reason)
    }
}

/// The skips of one run, each once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) expected: BTreeSet<Skip>,
    pub(crate) unexpected: BTreeSet<Skip>,
}

/// Sorts what the tests wrote (`<test name>: <reason>` a line) by what the list says.
pub(crate) fn compare(written: &str, expected: &str) -> Report {
    let listed: BTreeSet<&str> = expected
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .collect();
    let (expected, unexpected) = written
        .lines()
        .filter_map(parse)
        .partition(|skip| listed.contains(skip.test.as_str()));
    Report {
        expected,
        unexpected,
    }
}

/// Test names have `::` in them; only a colon with a space behind it ends one.
fn parse(line: &str) -> Option<Skip> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (test, reason) = line.split_once(": ").unwrap_or((line, "no reason given"));
    Some(Skip {
        test: test.to_owned(),
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# No such hook here.\nprobes::fentry  # EPERM\n\n";

    fn names(skips: &BTreeSet<Skip>) -> Vec<&str> {
        skips.iter().map(|skip| skip.test.as_str()).collect()
    }

    #[test]
    fn a_listed_skip_is_expected() {
        let report = compare("probes::fentry: refused: EPERM\n", LIST);
        assert_eq!(names(&report.expected), ["probes::fentry"]);
        assert!(report.unexpected.is_empty());
        let reason = report.expected.first().map(|skip| skip.reason.as_str());
        assert_eq!(reason, Some("refused: EPERM"));
    }

    #[test]
    fn a_skip_that_is_not_listed_is_found() {
        let report = compare("probes::fentry: EPERM\ndocker::cpu: no docker\n", LIST);
        assert_eq!(names(&report.unexpected), ["docker::cpu"]);
    }

    #[test]
    fn part_of_a_listed_name_is_not_listed() {
        let report = compare("probes::fent: x\nprobes: x\nEPERM: x\n", LIST);
        assert_eq!(report.unexpected.len(), 3);
    }

    #[test]
    fn a_skip_written_twice_counts_once_and_one_without_a_reason_counts() {
        let report = compare("a::b: c\na::b: c\nlonely\n", "");
        assert_eq!(names(&report.unexpected), ["a::b", "lonely"]);
    }
}
