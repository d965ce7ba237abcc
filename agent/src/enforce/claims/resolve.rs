//! From what is wanted to what is written: shares of what is in force become numbers.

use super::range::{self, Machine};
use crate::cgroup::{Knob, Setting};
use crate::policy::{Amount, Change, Wanted};

/// Why an amount comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("{knob} is unlimited, so a share of it is no number")]
    Unlimited { knob: Knob },
    #[error("{knob} is no quantity that could be changed by a share")]
    NoQuantity { knob: Knob },
    #[error("a share of {of} is no value for {knob}")]
    OtherKind { knob: Knob, of: Knob },
    #[error("a setting of {given} is no value for {knob}")]
    OtherKnob { knob: Knob, given: Knob },
    #[error("the floor is above the ceiling")]
    FloorAboveCeiling,
    #[error("cannot read {knob}: {reason}")]
    Unread { knob: Knob, reason: String },
}

/// What amounts are shares of, weights in v2's unit ([`Setting::in_v2_unit`]).
pub(crate) struct Ground<'a> {
    /// What the claimant holds of the knob; what is in force where it holds nothing.
    pub(crate) current: &'a Setting,
    /// Before any claim.
    pub(crate) original: &'a Setting,
    /// Other knobs of the same cgroup, as the kernel has them.
    pub(crate) other: &'a dyn Fn(Knob) -> Result<Setting, String>,
    pub(crate) machine: Machine,
}

/// What `wanted` comes to.
///
/// A percentage rounds to the nearest unit, memory then down to a page. `max` times something below
/// one is that share of the machine's CPUs or memory. Ceiling and floor bound whatever comes out.
///
/// # Errors
/// It comes to nothing that the knob could be set to.
pub(crate) fn resolve(wanted: &Wanted, ground: &Ground<'_>) -> Result<Setting, ResolveError> {
    let knob = wanted.knob;
    let amount = |amount: &Amount| one(knob, amount, ground);
    let value = amount(&wanted.amount)?;
    let ceiling = wanted.ceiling.as_ref().map(amount).transpose()?;
    let floor = wanted.floor.as_ref().map(amount).transpose()?;
    if let (Some(floor), Some(ceiling)) = (&floor, &ceiling)
        && range::lower(floor, ceiling) != *floor
    {
        return Err(ResolveError::FloorAboveCeiling);
    }
    let value = ceiling.map_or(value.clone(), |ceiling| range::lower(&value, &ceiling));
    let value = floor.map_or(value.clone(), |floor| range::higher(&value, &floor));
    Ok(range::allowed(value))
}

fn one(knob: Knob, amount: &Amount, ground: &Ground<'_>) -> Result<Setting, ResolveError> {
    match amount {
        Amount::Exactly(setting) if setting.knob() == knob => Ok(setting.clone()),
        Amount::Exactly(setting) => Err(ResolveError::OtherKnob {
            knob,
            given: setting.knob(),
        }),
        Amount::PercentOf { knob: of, percent } => percent_of(knob, *of, *percent, ground),
        Amount::Change(Change::OfCurrent(factor)) => scaled(ground.current, *factor, ground),
        Amount::Change(Change::OfOriginal(factor)) => scaled(ground.original, *factor, ground),
    }
}

fn scaled(setting: &Setting, factor: f64, ground: &Ground<'_>) -> Result<Setting, ResolveError> {
    let knob = setting.knob();
    range::scaled(setting, factor, ground.machine).ok_or(match setting {
        Setting::MemorySwapMax(_) | Setting::PidsMax(_) | Setting::IoMax(..) => {
            ResolveError::Unlimited { knob }
        }
        _ => ResolveError::NoQuantity { knob },
    })
}

fn percent_of(
    knob: Knob,
    of: Knob,
    percent: f64,
    ground: &Ground<'_>,
) -> Result<Setting, ResolveError> {
    use range::Number::{Bytes, Count, Micros};
    let base = if of == knob {
        ground.current.clone()
    } else {
        (ground.other)(of).map_err(|reason| ResolveError::Unread { knob: of, reason })?
    };
    let share = |number: Option<u64>| {
        let number = number.ok_or(ResolveError::Unlimited { knob: of })?;
        Ok(Some(range::times(number, percent / 100.0)))
    };
    let number = match range::number(&base) {
        Some(Bytes(number)) => Bytes(share(number)?),
        Some(Micros(number)) => Micros(share(number)?),
        Some(Count(number)) => Count(share(number)?),
        None => return Err(ResolveError::NoQuantity { knob: of }),
    };
    range::of_number(knob, number, ground.current).ok_or(ResolveError::OtherKind { knob, of })
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
