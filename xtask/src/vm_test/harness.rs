//! What Rust's test harness prints, test by test.

use super::protocol::TestOutcome;

/// Reads the lines of one test program.
#[derive(Debug, Default)]
pub(super) struct Lines {
    announced: Option<usize>,
    told: usize,
    /// A test whose line has begun, when the program was ended in it.
    open: Option<String>,
}

impl Lines {
    /// Takes in one line; the test whose outcome it tells, if so.
    pub(super) fn read(&mut self, line: &str) -> Option<(String, TestOutcome)> {
        if let Some(count) = line.strip_prefix("running ") {
            let count = count.split(' ').next().and_then(|count| count.parse().ok());
            self.announced = count.or(self.announced);
            return None;
        }
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let outcome = match outcome.split([' ', ',']).next()? {
            "ok" => TestOutcome::Passed,
            "FAILED" => TestOutcome::Failed,
            "ignored" => TestOutcome::Ignored,
            _ => {
                self.open = Some(name.to_owned());
                return None;
            }
        };
        self.told += 1;
        self.open = None;
        Some((name.to_owned(), outcome))
    }

    /// What can be said of the tests that were announced and never told of.
    pub(super) fn unfinished(&self) -> Option<String> {
        if let Some(name) = &self.open {
            return Some(name.clone());
        }
        let missing = self.announced?.saturating_sub(self.told);
        (missing > 0).then(|| format!("({missing} tests never ended)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read() {
        let mut lines = Lines::default();
        assert_eq!(lines.read("running 3 tests"), None);
        assert_eq!(
            lines.read("test a::b ... ok"),
            Some(("a::b".to_owned(), TestOutcome::Passed))
        );
        assert_eq!(
            lines.read("test c ... FAILED"),
            Some(("c".to_owned(), TestOutcome::Failed))
        );
        assert_eq!(lines.unfinished().as_deref(), Some("(1 tests never ended)"));
        assert_eq!(
            lines.read("test d ... ignored, reason"),
            Some(("d".to_owned(), TestOutcome::Ignored))
        );
        assert_eq!(lines.unfinished(), None);
        assert_eq!(lines.read("test result: ok. 3 passed"), None);
    }

    #[test]
    fn a_test_that_never_ends_is_named() {
        let mut lines = Lines::default();
        lines.read("running 1 test");
        assert_eq!(lines.read("test slow ... "), None);
        assert_eq!(lines.unfinished().as_deref(), Some("slow"));
    }
}
