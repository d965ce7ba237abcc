//! Terms in words.

use std::fmt;

use crate::policy::pattern::Pattern;
use crate::policy::selector::{LabelTerm, Terms};

/// `runtime docker or podman, label tier=batch`.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut terms = Vec::new();
        if !self.runtime.is_empty() {
            let names: Vec<&str> = self.runtime.iter().map(|runtime| runtime.name()).collect();
            terms.push(format!("runtime {}", names.join(" or ")));
        }
        if !self.kind.is_empty() {
            let names: Vec<&str> = self.kind.iter().map(|kind| kind.name()).collect();
            terms.push(format!("kind {}", names.join(" or ")));
        }
        terms.extend(self.labels.iter().map(|label| format!("label {label}")));
        for (key, patterns) in self.patterns() {
            if !patterns.is_empty() {
                terms.push(format!("{key} {}", any_of(patterns)));
            }
        }
        if terms.is_empty() {
            return f.write_str("all that run on their own");
        }
        f.write_str(&terms.join(", "))
    }
}

/// `tier=batch`.
impl fmt::Display for LabelTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, any_of(&self.values))
    }
}

fn any_of(patterns: &[Pattern]) -> String {
    let texts: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    texts.join(" or ")
}
