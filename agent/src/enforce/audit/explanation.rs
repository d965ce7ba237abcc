//! Why a workload is as it is: `plimsoll why NAME`.

use std::sync::Arc;
use std::time::SystemTime;

use humantime::format_rfc3339_seconds;
use serde::{Deserialize, Serialize};

use super::query::Answer;
use super::summary::{because, by, summary};
use crate::cgroup::Setting;
use crate::enforce::Record;
use crate::policy::{Claimant, Evidence};

/// Something that is in force because somebody asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// In the kernel's words: `memory.max 536870912`.
    pub what: String,
    /// What was there before anybody asked; `None`: there is no such thing, as with network rules.
    pub original: Option<String>,
    pub claimant: Claimant,
    #[serde(with = "humantime_serde")]
    pub since: SystemTime,
    /// When it is let go of by itself.
    #[serde(with = "humantime_serde")]
    pub until: Option<SystemTime>,
    /// Number of the action that brought it.
    pub action: u64,
    /// `None`: taken from the record of the action, as far back as the audit goes.
    pub evidence: Option<Evidence>,
    /// What of it is done less well than its name promises; of the record of the action, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
    /// Who holds the same thing with less priority, the next first.
    pub behind: Vec<Claimant>,
}

/// What is in force on one workload, on whose behalf and why, and what was decided of it lately.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// Its cgroup path.
    pub workload: String,
    pub name: String,
    pub held: Vec<Held>,
    /// Limits in force that were not asked for here, in the kernel's words: those it was made with.
    #[serde(default)]
    pub besides: Vec<String>,
    /// Who made it, and so most likely set them: `docker`, `systemd`, …; for what this agent runs,
    /// `plimsoll run`.
    #[serde(default)]
    pub made_by: String,
    /// The last decisions, the oldest first: dry runs and refusals too.
    pub records: Vec<Arc<Record>>,
}

impl Explanation {
    /// From what enforcement holds, and the last records of the workload.
    #[must_use]
    pub fn new(workload: &str, name: &str, mut held: Vec<Held>, answer: Answer) -> Self {
        for held in &mut held {
            let record = answer
                .records
                .iter()
                .find(|record| record.id == held.action);
            if let Some(record) = record {
                held.caveats.clone_from(&record.caveats);
            }
            let known = held.evidence.take();
            held.evidence = known.or_else(|| record.map(|record| record.evidence.clone()));
        }
        Self {
            workload: workload.to_owned(),
            name: name.to_owned(),
            held,
            besides: Vec::new(),
            made_by: String::new(),
            records: answer.records,
        }
    }

    /// With what else is in force, set by who made it or by others.
    #[must_use]
    pub fn beside(mut self, made_by: &str, limits: &[Setting]) -> Self {
        let held = |what: &str| self.held.iter().any(|held| is_of(&held.what, what));
        let besides = limits.iter().filter(|setting| !held(&thing_of(setting)));
        self.besides = besides.map(ToString::to_string).collect();
        self.made_by = made_by.to_owned();
        self
    }

    /// For people, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.lines_in_force();
        if self.records.is_empty() {
            lines.push("decisions: none".to_owned());
        } else {
            lines.push("last decisions:".to_owned());
            let told = self.records.iter().map(|record| summary(record));
            lines.extend(told.map(|line| format!("  {line}")));
        }
        lines
    }

    /// What is in force alone.
    #[must_use]
    pub fn lines_in_force(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.name == self.workload {
            lines.push(self.name.clone());
        } else {
            lines.push(format!("{} ({})", self.name, self.workload));
        }
        if self.held.is_empty() && self.besides.is_empty() {
            lines.push("in force: no limit".to_owned());
        } else {
            lines.push("in force:".to_owned());
            lines.extend(self.held.iter().flat_map(held_lines));
            let by = &self.made_by;
            let besides = self.besides.iter();
            lines.extend(besides.map(|what| format!("  {what}, by {by}")));
        }
        lines
    }
}

/// `memory.max`, `cpu.shares`, `io.max 8:0`.
fn thing_of(setting: &Setting) -> String {
    match setting {
        Setting::IoMax(..) => setting.knob().to_string(),
        other => {
            let words = other.to_string();
            words.split(' ').next().unwrap_or_default().to_owned()
        }
    }
}

/// Whether a value, in the kernel's words, is one of this.
fn is_of(value: &str, thing: &str) -> bool {
    let rest = value.strip_prefix(thing);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn held_lines(held: &Held) -> Vec<String> {
    let original = held.original.as_deref();
    let was = original.map_or_else(String::new, |original| format!(" (was {original})"));
    let since = format_rfc3339_seconds(held.since);
    let mut first = format!(
        "  {}{was}, by {}, since {since}, action {}",
        held.what,
        by(&held.claimant),
        held.action
    );
    if let Some(until) = held.until {
        first.push_str(&format!(
            ", until {} at most",
            format_rfc3339_seconds(until)
        ));
    }
    let mut lines = vec![first];
    if let Some(evidence) = &held.evidence {
        lines.push(format!("    because {}", because(evidence)));
    }
    for caveat in &held.caveats {
        lines.push(format!("    but {caveat}"));
    }
    if !held.behind.is_empty() {
        let behind: Vec<String> = held.behind.iter().map(by).collect();
        lines.push(format!("    next in line: {}", behind.join(", ")));
    }
    lines
}

#[cfg(test)]
#[path = "explanation_tests.rs"]
mod tests;
