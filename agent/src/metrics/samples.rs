//! Where an entry of the catalogue puts its samples.

use std::time::SystemTime;

use crate::ledger::Histogram;
use crate::metrics::exposition::{Exposition, Head, Value};
use crate::metrics::family::Family;

/// The samples of one family. Its head is written with the first of them, so that a family
/// without samples leaves no trace.
pub(crate) struct Samples<'a> {
    text: &'a mut Exposition,
    family: &'a Family,
    begun: bool,
    fixed: &'a [u8],
    stamp: Option<SystemTime>,
}

impl<'a> Samples<'a> {
    pub(crate) fn new(text: &'a mut Exposition, family: &'a Family) -> Self {
        Self {
            text,
            family,
            begun: false,
            fixed: b"",
            stamp: None,
        }
    }

    /// Labels (escaped and joined) and time of the samples to come.
    pub(crate) fn describe(&mut self, fixed: &'a [u8], stamp: Option<SystemTime>) {
        self.fixed = fixed;
        self.stamp = stamp;
    }

    /// The text, to hand on a full chunk between two samples.
    pub(crate) fn text(&mut self) -> &mut Exposition {
        self.text
    }

    /// A sample without labels of its own.
    pub(crate) fn push(&mut self, value: impl Into<Value>) {
        self.push_with(&[], value);
    }

    /// A sample, if there is a value.
    pub(crate) fn push_some(&mut self, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(value);
        }
    }

    /// A sample with labels of its own.
    pub(crate) fn push_with(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.begin();
        let name = [self.family.name, ""];
        self.text
            .sample(name, self.fixed, labels, value.into(), self.stamp);
    }

    /// A whole histogram: cumulative counts by upper bound, `+Inf` left out.
    pub(crate) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl Iterator<Item = (f64, u64)>,
        sum: f64,
        count: u64,
    ) {
        self.begin();
        let name = self.family.name;
        for (upper, cumulative) in buckets {
            self.text
                .bucket(name, self.fixed, labels, upper, cumulative);
        }
        self.text
            .bucket(name, self.fixed, labels, f64::INFINITY, count);
        self.text
            .sample([name, "_sum"], self.fixed, labels, sum.into(), None);
        self.text
            .sample([name, "_count"], self.fixed, labels, count.into(), None);
    }

    /// One of the ledger's kind, if anything was counted.
    pub(crate) fn whole_histogram(&mut self, histogram: &Histogram) {
        if let Some(&count) = histogram.counts.last().filter(|count| **count > 0) {
            let bounds = histogram.bounds_seconds.iter().copied();
            let buckets = bounds.zip(histogram.counts.iter().copied());
            self.histogram(&[], buckets, histogram.sum_seconds, count);
        }
    }

    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.text.head(&Head {
                name: self.family.name,
                kind: self.family.kind,
                unit: self.family.unit,
                help: self.family.help,
            });
        }
    }
}
