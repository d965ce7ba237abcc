//! What a rule's condition is judged by.

use super::judge;
use super::needs::{knobs, series_of_leaf};
use super::series::{Kinds, Series};
use crate::cgroup::Knob;
use crate::policy::condition::{Condition, Subject, Threshold, WatchedEvent};
use crate::policy::metric::Metric;
use crate::policy::set::Rule;

/// Readings and events that may change it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// Of the workload, and of the host.
    pub(super) own: Kinds,
    pub(super) host: Kinds,
    pub(super) events: Vec<WatchedEvent>,
}

impl Sources {
    pub(super) fn of(rule: &Rule) -> Self {
        let mut sources = Self::default();
        rule.when.each_leaf(&mut |leaf| sources.add(leaf));
        sources
    }

    fn add(&mut self, leaf: &Condition) {
        self.events.extend(judge::event(leaf));
        let kinds = match judge::subject(leaf) {
            Subject::Workload => &mut self.own,
            Subject::Host => &mut self.host,
        };
        let series = series_of_leaf(leaf).into_iter();
        *kinds = series.fold(*kinds, Kinds::with);
        // Without a quota nothing is throttled, and it need not be looked at.
        if let Condition::Metric(one) = leaf
            && one.metric == Metric::CpuThrottledRatio
        {
            self.own = self.own.with(Series::InForce(Knob::CpuMax));
        }
        let Some(bound) = judge::bound(leaf) else {
            return;
        };
        for knob in knobs(bound) {
            self.own = self.own.with(Series::InForce(knob));
        }
        let of_host = |threshold| matches!(threshold, &Threshold::PercentOfHost(_));
        if [Some(bound.threshold), bound.clear]
            .iter()
            .flatten()
            .any(of_host)
        {
            self.host = self.host.with(Series::Cpus).with(Series::MemoryTotal);
        }
    }
}
