//! What a rule's condition is judged by.

use super::judge;
use super::needs::{knobs, series_of_leaf};
use super::series::Series;
use crate::policy::condition::{Subject, Threshold, WatchedEvent};
use crate::policy::set::Rule;

/// Readings and events that may change it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub(super) own: Vec<Series>,
    pub(super) host: bool,
    pub(super) events: Vec<WatchedEvent>,
}

impl Sources {
    pub(super) fn of(rule: &Rule) -> Self {
        let mut sources = Self::default();
        for leaf in rule.when.leaves() {
            sources.events.extend(judge::event(leaf));
            match judge::subject(leaf) {
                Subject::Workload => sources.own.extend(series_of_leaf(leaf)),
                Subject::Host => sources.host = true,
            }
            if let Some(bound) = judge::bound(leaf) {
                sources
                    .own
                    .extend(knobs(bound).into_iter().map(Series::InForce));
                sources.host |= [Some(bound.threshold), bound.clear]
                    .iter()
                    .flatten()
                    .any(|threshold| matches!(threshold, Threshold::PercentOfHost(_)));
            }
        }
        sources
    }
}
