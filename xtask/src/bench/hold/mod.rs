//! Holding: what deciding costs, how long it takes from misbehaving to the effect in the kernel and
//! from the agent's death to the originals, and how exact egress rates are.

mod earlyoom;
mod egress;
mod files;
mod guardian;
mod policies;
mod reaction;

use anyhow::Result;

use super::Plan;
use super::cgroups::Cgroups;
use super::report::Report;
use crate::setup;

pub(super) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    setup::for_bench_of_holding()?;
    policies::measure(plan, report, cgroups)?;
    reaction::measure(plan, report, cgroups)?;
    guardian::measure(plan, report, cgroups)?;
    egress::measure(plan, report, cgroups)
}
