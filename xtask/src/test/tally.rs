//! Counts of what ran, read from the test harness's own lines.

use std::collections::BTreeSet;
use std::fmt;

/// Sum over all test programs of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// Told by the tests themselves; the harness counts them as passed.
    pub(super) skipped: usize,
    failures: BTreeSet<String>,
    /// Failed among the others and passed when they ran again, alone.
    unsteady: BTreeSet<String>,
    /// Names of the list under way: the harness prints `failures:` twice, first before the failed
    /// tests' output, then before their names.
    list: Option<Vec<String>>,
}

impl Tally {
    /// Takes in one line of output.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.ignored += count(counts, "ignored");
            self.failures.extend(self.list.take().unwrap_or_default());
        } else if line == "failures:" {
            self.list = Some(Vec::new());
        } else if let (Some(list), Some(name)) = (&mut self.list, line.strip_prefix("    ")) {
            list.push(name.to_owned());
        }
    }

    /// Names of the tests that failed.
    pub(super) fn failures(&self) -> &BTreeSet<String> {
        &self.failures
    }

    /// Adds another stage.
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend(other.failures);
        self.unsteady.extend(other.unsteady);
    }

    /// Takes in a second run of those that failed.
    pub(super) fn settle(&mut self, again: Self) {
        self.passed += again.passed;
        self.failed = again.failed;
        let first = std::mem::replace(&mut self.failures, again.failures);
        self.unsteady = first.difference(&self.failures).cloned().collect();
    }

    /// Tests that ran, whatever came of it.
    pub(super) fn ran(&self) -> usize {
        self.passed + self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(formatter, "test: FAILED: {failure}")?;
        }
        for name in &self.unsteady {
            writeln!(
                formatter,
                "test: UNSTEADY: failed among the others, passed alone: {name}"
            )?;
        }
        writeln!(
            formatter,
            "tests: {} passed, {} failed, {} skipped",
            self.passed.saturating_sub(self.skipped),
            self.failed,
            self.skipped + self.ignored
        )
    }
}

fn count(counts: &str, what: &str) -> usize {
    counts
        .split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED_RUN: &str = "\
running 3 tests
test ledger::conserves ... FAILED
test ledger::starts_empty ... ok

failures:

---- ledger::conserves stdout ----
    indented output of the test

failures:
    ledger::conserves

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn counts_and_names_of_failures() {
        let tally = read(FAILED_RUN);
        assert_eq!(tally.ran(), 2);
        assert_eq!(
            tally.to_string(),
            "test: FAILED: ledger::conserves\ntests: 1 passed, 1 failed, 1 skipped\n"
        );
    }

    #[test]
    fn what_passes_alone_is_named_and_what_does_not_has_failed() {
        let again = FAILED_RUN.replace("1 passed; 1 failed; 1", "0 passed; 1 failed; 0");
        let mut twice = read(FAILED_RUN);
        twice.settle(read(&again));
        assert!(twice.to_string().contains("FAILED: ledger::conserves"));
        assert!(
            twice
                .to_string()
                .ends_with("1 passed, 1 failed, 1 skipped\n")
        );

        let mut once = read(FAILED_RUN);
        once.settle(read("test result: ok. 1 passed; 0 failed; 0 ignored\n"));
        assert!(once.failures().is_empty());
        assert!(once.to_string().contains("UNSTEADY"));
        assert!(once.to_string().contains("ledger::conserves\n"));
        assert!(
            once.to_string()
                .ends_with("2 passed, 0 failed, 1 skipped\n")
        );
    }

    #[test]
    fn test_programs_add_up_and_skips_are_not_passes() {
        let line = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n";
        let mut tally = read(&line.repeat(2));
        tally.skipped = 4;
        assert_eq!(tally.to_string(), "tests: 20 passed, 0 failed, 4 skipped\n");
    }
}
