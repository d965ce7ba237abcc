//! One scrape: everything its samples are made of, and the text made of it, chunk by chunk.

use std::time::SystemTime;

use bytes::Bytes;
use prometheus::proto::MetricFamily;

use crate::config::{ContainersConfig, MetricsConfig};
use crate::ledger::{Life, Snapshot, Workload};
use crate::metrics::catalogue::families;
use crate::metrics::devices::Devices;
use crate::metrics::exposition::{Exposition, Format};
use crate::metrics::family::{Emit, Family};
use crate::metrics::hold::HoldReading;
use crate::metrics::identities::Identities;
use crate::metrics::launching::LaunchingReading;
use crate::metrics::machine::Machine;
use crate::metrics::own::write_gathered;
use crate::metrics::process::ProcessReading;
use crate::metrics::samples::Samples;

/// What the samples of one scrape are made of. All come from one snapshot.
pub(crate) struct Scrape<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) machine: &'a Machine,
    /// When the client asked.
    pub(crate) now: SystemTime,
    pub(crate) devices: Devices,
    pub(crate) process: ProcessReading,
    /// `None`: this agent only looks.
    pub(crate) hold: Option<HoldReading>,
    /// `None`: this agent runs no containers.
    pub(crate) launching: Option<LaunchingReading>,
    gathered: Vec<MetricFamily>,
    identities: Identities,
    timestamps: bool,
}

/// Who takes the text does not want any more of it.
#[derive(Debug)]
pub(crate) struct Closed;

impl<'a> Scrape<'a> {
    /// Reads what is not in the snapshot: names of devices, and the agent's own process.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        machine: &'a Machine,
        gathered: Vec<MetricFamily>,
        metrics: &MetricsConfig,
        containers: &ContainersConfig,
    ) -> Self {
        let workloads = || snapshot.workloads.iter().map(AsRef::as_ref);
        Self {
            snapshot,
            machine,
            now: SystemTime::now(),
            devices: Devices::new(workloads()),
            process: ProcessReading::take(),
            hold: None,
            launching: None,
            gathered,
            identities: Identities::new(workloads(), containers),
            timestamps: metrics.timestamps,
        }
    }

    /// Shows how policy and enforcement do, too.
    pub(crate) fn with_hold(mut self, hold: Option<HoldReading>) -> Self {
        self.hold = hold;
        self
    }

    /// Shows how containers do that the agent runs itself, too.
    pub(crate) fn with_launching(mut self, launching: Option<LaunchingReading>) -> Self {
        self.launching = launching;
        self
    }

    /// Writes all families in the catalogue's order, workloads in the snapshot's, and hands on
    /// each chunk as it fills. Stops as soon as one is refused.
    pub(crate) fn render(
        &self,
        format: Format,
        mut hand_on: impl FnMut(Bytes) -> Result<(), Closed>,
    ) -> Result<(), Closed> {
        let mut text = Exposition::new(format);
        for family in families().filter(|family| family.measured(&self.snapshot.agent.probes)) {
            self.family(&mut text, family, &mut hand_on)?;
        }
        hand_on(text.finish())
    }

    fn family(
        &self,
        text: &mut Exposition,
        family: &Family,
        hand_on: &mut impl FnMut(Bytes) -> Result<(), Closed>,
    ) -> Result<(), Closed> {
        let mut samples = Samples::new(text, family);
        match family.emit {
            Emit::Workload(emit) => {
                for (workload, labels) in self.snapshot.workloads.iter().zip(self.identities.iter())
                {
                    samples.describe(labels, self.stamp(family, workload));
                    emit(self, workload, &mut samples);
                    if samples.text().is_full() {
                        hand_on(samples.text().take())?;
                    }
                }
            }
            Emit::Machine(emit) => {
                samples.describe(&self.machine.labels, None);
                emit(self.machine, &mut samples);
            }
            Emit::Once(emit) => emit(self, &mut samples),
            Emit::Registry => {
                write_gathered(&self.gathered, family.name, family.kind, &mut samples);
            }
        }
        if samples.text().is_full() {
            hand_on(samples.text().take())?;
        }
        Ok(())
    }

    /// When the sample was true: at the last tick, or for a dead workload at its end.
    fn stamp(&self, family: &Family, workload: &Workload) -> Option<SystemTime> {
        (self.timestamps && family.stamped).then_some(match workload.life {
            Life::Alive | Life::Frozen => self.snapshot.taken,
            Life::Dead { since } => since,
        })
    }
}
