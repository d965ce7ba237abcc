//! What is wrong, as it is found.

use super::lines::Lines;
use crate::policy::problem::Problem;

/// What was found wrong so far, by key path.
#[derive(Default)]
pub(in crate::policy) struct Problems(Vec<(String, String)>);

impl Problems {
    pub(in crate::policy) fn at(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.0.push((path.into(), what.into()));
    }

    /// Whether something is wrong with this very value.
    pub(in crate::policy) fn is_at(&self, path: &str) -> bool {
        self.0.iter().any(|(at, _)| at == path)
    }

    /// Whether something is wrong with this value or within it.
    pub(in crate::policy) fn any_at(&self, path: &str) -> bool {
        let within = |at: &str| {
            let rest = at.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0.iter().any(|(at, _)| within(at))
    }

    /// All of them, as they stand in the file.
    pub(super) fn located(self, lines: &Lines) -> Vec<Problem> {
        let located = self.0.into_iter().map(|(key, what)| Problem {
            line: lines.of(&key),
            key,
            what,
        });
        let mut problems: Vec<Problem> = located.collect();
        problems.sort_by(|a, b| (a.line, &a.key).cmp(&(b.line, &b.key)));
        problems.dedup();
        problems
    }
}
