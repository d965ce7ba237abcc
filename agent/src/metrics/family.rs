//! One entry of the catalogue: a metric family, what it means, and where its samples come from.

use crate::ledger::{ProbeReading, ProbeState, Workload};
use crate::metrics::machine::Machine;
use crate::metrics::samples::Samples;
use crate::metrics::scrape::Scrape;

/// A metric family. `docs/metrics.md` is made from these fields.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    /// Full name, `_total` included.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Base unit of the value; empty for counts and ratios.
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
    /// Labels beyond those that name the workload or the machine.
    pub(crate) labels: &'static [&'static str],
    /// Where the value comes from on a cgroup v2 controller, and on v1 where that differs.
    pub(crate) source: Source,
    /// When there is no such series; empty: never.
    pub(crate) absent: &'static str,
    /// Tracepoint without which the value would be a made-up 0: the family is left out while its
    /// probe is known to be off.
    pub(crate) probe: Option<&'static str>,
    /// Carries the time of the reading when the configuration asks for timestamps.
    pub(crate) stamped: bool,
    pub(crate) emit: Emit,
}

/// Source of a value, in words.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) v2: &'static str,
    /// `None`: the same as on v2.
    pub(crate) v1: Option<&'static str>,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Constant 1, told by its labels. Text 0.0.4 has no such type and calls it a gauge.
    Info,
}

/// Who writes the samples.
#[derive(Clone, Copy)]
pub(crate) enum Emit {
    /// Called once for every workload; the workload's labels are put on each sample.
    Workload(fn(&Scrape<'_>, &Workload, &mut Samples<'_>)),
    /// Called once; the machine's labels are put on each sample.
    Machine(fn(&Machine, &mut Samples<'_>)),
    /// Called once; no labels but the sample's own.
    Once(fn(&Scrape<'_>, &mut Samples<'_>)),
    /// Kept by the agent's own registry under the same name.
    Registry,
}

impl Family {
    /// What a per-workload family starts from: a stamped gauge without samples.
    pub(crate) const WORKLOAD: Self = Self {
        name: "",
        kind: Kind::Gauge,
        unit: "",
        help: "",
        labels: &[],
        source: Source::new(""),
        absent: "",
        probe: None,
        stamped: true,
        emit: Emit::Workload(|_, _, _| ()),
    };

    /// What a family of the host or the agent starts from: a gauge without time or samples.
    pub(crate) const SINGLE: Self = Self {
        stamped: false,
        ..Self::WORKLOAD
    };

    /// False when a probe that this family needs is listed, and none such is attached.
    pub(crate) fn measured(&self, probes: &[ProbeReading]) -> bool {
        let Some(tracepoint) = self.probe else {
            return true;
        };
        let mut listed = probes
            .iter()
            .filter(|probe| probe.hook.rsplit('/').next() == Some(tracepoint))
            .map(|probe| match probe.state {
                ProbeState::Attached | ProbeState::Degraded(_) => true,
                ProbeState::Unsupported(_) | ProbeState::Failed(_) | ProbeState::Disabled => false,
            })
            .peekable();
        listed.peek().is_none() || listed.any(|attached| attached)
    }
}

impl Source {
    /// The same on v1 and v2.
    pub(crate) const fn new(both: &'static str) -> Self {
        Self { v2: both, v1: None }
    }

    /// Different files.
    pub(crate) const fn split(v2: &'static str, v1: &'static str) -> Self {
        Self { v2, v1: Some(v1) }
    }
}

impl Kind {
    /// The word of a `# TYPE` line of text 0.0.4, and of the reference.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
