//! What came of one kernel in one world.

use std::collections::BTreeMap;
use std::fmt;

use super::kernel::Kernel;
use super::machine::Boot;
use super::protocol::{Message, TestOutcome, World};
use crate::test::skips::{self, Report};

/// One guest's results.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) kernel: Kernel,
    pub(super) world: World,
    /// What it ran, where that is a system of packages.
    pub(super) system: Option<String>,
    /// From power-on to the first test, by the guest's clock; `None`: it never came so far.
    pub(super) up_seconds: Option<f64>,
    pub(super) seconds: f64,
    /// Of these, what the test programs took.
    test_seconds: f64,
    /// By program and name.
    pub(super) tests: BTreeMap<(String, String), TestOutcome>,
    /// Failed among the others and passed when they ran again, alone.
    unsteady: Vec<String>,
    /// Programs that did not end well, with how.
    bad_ends: Vec<String>,
    pub(super) skips: Report,
    /// Contents of the outbox, by file name.
    pub(super) files: BTreeMap<String, String>,
    /// A kernel that died, a guest that never ended.
    trouble: Option<String>,
    /// The guest could not be set up.
    broken: Option<String>,
}

/// What a run's exit status is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Passed,
    /// Nothing can be said of the tests.
    Infrastructure,
    Failed,
}

impl Outcome {
    pub(super) fn of(
        kernel: Kernel,
        world: World,
        system: Option<String>,
        boot: Boot,
        expected: &[&str],
    ) -> Self {
        let mut outcome = Self {
            kernel,
            world,
            system,
            up_seconds: None,
            seconds: boot.seconds,
            test_seconds: 0.0,
            tests: BTreeMap::new(),
            unsteady: Vec::new(),
            bad_ends: Vec::new(),
            skips: skips::compare("", ""),
            files: BTreeMap::new(),
            trouble: boot.trouble,
            broken: None,
        };
        for message in boot.messages {
            outcome.take(message);
        }
        let written = outcome.files.remove("skips").unwrap_or_default();
        outcome.skips = skips::compare(&written, &expected.join("\n"));
        outcome
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Up { seconds, .. } => self.up_seconds = Some(seconds),
            Message::Broken { why } => self.broken = Some(why),
            Message::Test {
                program,
                name,
                outcome,
            } => {
                self.tests.insert((program, name), outcome);
            }
            Message::Ended {
                program,
                passed,
                status,
                seconds,
            } => {
                self.test_seconds += seconds;
                if !passed {
                    self.bad_ends.push(format!("{program}: {status}"));
                }
            }
            Message::File { name, text } => self.files.entry(name).or_default().push_str(&text),
            Message::Done { .. } => {}
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        if self.broken.is_some() || self.up_seconds.is_none() {
            return Verdict::Infrastructure;
        }
        let passed = self.trouble.is_none()
            && self.bad_ends.is_empty()
            && self.skips.unexpected.is_empty()
            && self.count(TestOutcome::Passed) > 0
            && self.failures().next().is_none();
        if passed {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }

    /// Whether a skip of this test is on record.
    pub(super) fn is_skipped(&self, name: &str) -> Option<&str> {
        self.skips
            .expected
            .iter()
            .chain(&self.skips.unexpected)
            .find(|skip| skip.test == name || name.ends_with(&format!("::{}", skip.test)))
            .map(|skip| skip.reason.as_str())
    }

    fn count(&self, wanted: TestOutcome) -> usize {
        self.tests
            .values()
            .filter(|outcome| **outcome == wanted)
            .count()
    }

    /// Program and name of each that failed.
    pub(super) fn failed_tests(&self) -> Vec<(String, String)> {
        let tests = self.tests.iter();
        let failed = tests.filter(|(_, outcome)| **outcome == TestOutcome::Failed);
        failed.map(|(test, _)| test.clone()).collect()
    }

    /// Not all was run that should have been.
    pub(super) fn ended_early(&self) -> bool {
        let unfinished = self.count(TestOutcome::Unfinished) > 0;
        unfinished || self.trouble.is_some()
    }

    /// Takes in a second run of those that failed.
    pub(super) fn settle(&mut self, again: Self) {
        self.seconds += again.seconds;
        self.test_seconds += again.test_seconds;
        if again.trouble.is_some() || again.broken.is_some() {
            self.trouble = again.trouble.or(again.broken);
            return;
        }
        for ((program, name), outcome) in again.tests {
            if outcome == TestOutcome::Passed {
                self.unsteady.push(format!("{program}: {name}"));
            }
            self.tests.insert((program, name), outcome);
        }
        self.bad_ends = again.bad_ends;
        self.skips.unexpected.extend(again.skips.unexpected);
    }

    fn failures(&self) -> impl Iterator<Item = String> {
        self.tests
            .iter()
            .filter(|(_, outcome)| matches!(outcome, TestOutcome::Failed | TestOutcome::Unfinished))
            .map(|((program, name), outcome)| match outcome {
                TestOutcome::Unfinished => format!("{program}: {name} (never ended)"),
                _ => format!("{program}: {name}"),
            })
    }

    /// Everything that is wrong, a line each.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.broken.iter().map(|why| format!("guest: {why}")));
        if self.up_seconds.is_none() && self.broken.is_none() {
            lines.push("the guest never came up".to_owned());
        }
        lines.extend(self.trouble.iter().cloned());
        lines.extend(self.failures().map(|name| format!("FAILED: {name}")));
        lines.extend(self.bad_ends.iter().cloned());
        lines.extend(
            self.skips
                .unexpected
                .iter()
                .map(|skip| format!("skipped, NOT listed in xtask/kernels.toml: {skip}")),
        );
        let unsteady = self.unsteady.iter();
        lines.extend(
            unsteady.map(|name| format!("UNSTEADY: failed among the others, passed alone: {name}")),
        );
        if lines.is_empty() && self.verdict() != Verdict::Passed {
            lines.push("no test ran".to_owned());
        }
        lines
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.skips.expected.len() + self.skips.unexpected.len();
        let passed = self.count(TestOutcome::Passed).saturating_sub(skipped);
        write!(
            formatter,
            "{:<6} {:<7} {:<18} {:>3} passed {:>3} failed {:>3} skipped  up {:>4.1} s  all {:>5.1} s, {:>4.1} s beyond the tests  {}",
            self.kernel.series,
            self.world.name(),
            self.kernel.version,
            passed,
            self.failures().count(),
            skipped,
            self.up_seconds.unwrap_or(0.0),
            self.seconds,
            self.seconds - self.test_seconds,
            match self.verdict() {
                Verdict::Passed => "ok",
                Verdict::Failed => "FAILED",
                Verdict::Infrastructure => "NO RESULT",
            }
        )
    }
}
