//! Values of knobs as text: `512MiB`, `1.5 cores`, `80% of memory.max`, `+25%`, `3x`.

use crate::cgroup::{Knob, Setting};

use super::order::{Amount, Change};
use super::units::{ByteSize, CpuLimit, Percent, TimeSpan, UnitError};

/// Why a text is no value of a knob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("expected {expected}, not `{text}`")]
    Unexpected { text: String, expected: String },
    #[error("a share needs to say of what: `{text} of {}`", .knob.name())]
    ShareOfWhat { text: String, knob: Knob },
    #[error("{} cannot be a share of `{of}`; {hint}", .knob.name())]
    NoSuchShare {
        knob: Knob,
        of: String,
        hint: String,
    },
    #[error("{} cannot be changed by a share or a factor; write the value itself", .knob.name())]
    NoChange { knob: Knob },
    #[error("`{text}` would make it {bound}")]
    NotPositive { text: String, bound: &'static str },
}

/// Knobs of bytes, which can be shares of each other.
const OF_BYTES: [Knob; 4] = [
    Knob::MemoryMax,
    Knob::MemoryHigh,
    Knob::MemoryLow,
    Knob::MemoryMin,
];

/// The one that takes one value and has this name.
#[must_use]
pub fn knob_named(name: &str) -> Option<Knob> {
    Knob::SINGLE.into_iter().find(|knob| knob.name() == name)
}

/// A value that stands for itself: `512MiB`, `max`, `true`.
///
/// # Errors
/// Not a value of this knob.
pub fn parse_setting(knob: Knob, text: &str) -> Result<Setting, AmountError> {
    let text = text.trim();
    Ok(match knob {
        Knob::CpuMax => Setting::CpuMax(text.parse::<CpuLimit>()?.0),
        Knob::CpuMaxBurst => {
            let TimeSpan(time) = text.parse()?;
            Setting::CpuMaxBurst(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        }
        Knob::CpuWeight => Setting::CpuWeight(weight(text)?),
        Knob::IoWeight => Setting::IoWeight(weight(text)?),
        Knob::CpuIdle => Setting::CpuIdle(truth(text)?),
        Knob::MemoryOomGroup => Setting::MemoryOomGroup(truth(text)?),
        Knob::CpusetCpus => Setting::CpusetCpus(list(text)?),
        Knob::CpusetMems => Setting::CpusetMems(list(text)?),
        Knob::MemoryMax => Setting::MemoryMax(bytes(knob, text)?),
        Knob::MemoryHigh => Setting::MemoryHigh(bytes(knob, text)?),
        Knob::MemoryLow => Setting::MemoryLow(bytes(knob, text)?),
        Knob::MemoryMin => Setting::MemoryMin(bytes(knob, text)?),
        Knob::MemorySwapMax => Setting::MemorySwapMax(bytes(knob, text)?),
        Knob::PidsMax => Setting::PidsMax(tasks(text)?),
        Knob::IoMax(_) | Knob::Freeze => {
            let expected = format!("a knob of one value; {} has none", knob.name());
            return Err(unexpected(text, &expected));
        }
    })
}

/// A value, or a share of another knob's: `80% of memory.max`.
///
/// # Errors
/// Neither of them; or a change of the value in force, which is not a limit.
pub fn parse_amount(knob: Knob, text: &str) -> Result<Amount, AmountError> {
    let text = text.trim();
    if let Some((share, of)) = text.split_once(" of ") {
        return share_of(knob, share, of.trim());
    }
    if change(text).is_some() {
        let expected = "a value; shares and factors of the value in force are for a rule's `set`";
        return Err(unexpected(text, expected));
    }
    parse_setting(knob, text).map(Amount::Exactly)
}

/// As [`parse_amount`], or a change of the value in force: `+25%`, `-10%`, `3x`.
///
/// # Errors
/// None of them, or a change of what is no number.
pub fn parse_change(knob: Knob, text: &str) -> Result<Amount, AmountError> {
    let text = text.trim();
    let Some(change) = change(text) else {
        return parse_amount(knob, text);
    };
    let (Change::OfCurrent(factor) | Change::OfOriginal(factor)) = change;
    if !can_change(knob) {
        return Err(AmountError::NoChange { knob });
    }
    if factor <= 0.0 {
        return Err(AmountError::NotPositive {
            text: text.to_owned(),
            bound: "nothing at all",
        });
    }
    Ok(Amount::Change(change))
}

/// Whether a knob's value can be multiplied.
#[must_use]
pub const fn can_change(knob: Knob) -> bool {
    match knob {
        Knob::CpuMax
        | Knob::CpuMaxBurst
        | Knob::CpuWeight
        | Knob::MemoryMax
        | Knob::MemoryHigh
        | Knob::MemoryLow
        | Knob::MemoryMin
        | Knob::MemorySwapMax
        | Knob::PidsMax
        | Knob::IoWeight => true,
        Knob::CpuIdle
        | Knob::CpusetCpus
        | Knob::CpusetMems
        | Knob::MemoryOomGroup
        | Knob::IoMax(_)
        | Knob::Freeze => false,
    }
}

/// `+25%` is 1.25 of the current value, `3x` three times the original. `None`: neither.
fn change(text: &str) -> Option<Change> {
    let share = |text: &str| text.parse().ok().map(|Percent(share)| share / 100.0);
    if let Some(rise) = text.strip_prefix('+') {
        return share(rise).map(|share| Change::OfCurrent(1.0 + share));
    }
    if let Some(fall) = text.strip_prefix('-') {
        return share(fall).map(|share| Change::OfCurrent(1.0 - share));
    }
    let factor = text.strip_suffix('x')?;
    let Percent(percent) = format!("{factor}%").parse().ok()?;
    Some(Change::OfOriginal(percent))
}

fn share_of(knob: Knob, share: &str, of: &str) -> Result<Amount, AmountError> {
    let Percent(percent) = share.parse()?;
    let no_such_share = |hint: String| AmountError::NoSuchShare {
        knob,
        of: of.to_owned(),
        hint,
    };
    let named = knob_named(of);
    if OF_BYTES.contains(&knob) {
        let known = named.filter(|of| OF_BYTES.contains(of) && *of != knob);
        let names: Vec<&str> = OF_BYTES.iter().map(|knob| knob.name()).collect();
        let base = known
            .ok_or_else(|| no_such_share(format!("of another of {} it can", names.join(", "))))?;
        return Ok(Amount::PercentOf {
            knob: base,
            percent,
        });
    }
    Err(no_such_share("write the value itself".to_owned()))
}

fn bytes(knob: Knob, text: &str) -> Result<Option<u64>, AmountError> {
    if text == "max" {
        return Ok(None);
    }
    if text.parse::<Percent>().is_ok() {
        let base = match knob {
            Knob::MemoryMax | Knob::MemorySwapMax => Knob::MemoryHigh,
            _ => Knob::MemoryMax,
        };
        if OF_BYTES.contains(&knob) {
            let text = text.to_owned();
            return Err(AmountError::ShareOfWhat { text, knob: base });
        }
    }
    let ByteSize(bytes) = text.parse()?;
    Ok(Some(bytes))
}

fn tasks(text: &str) -> Result<Option<u64>, AmountError> {
    if text == "max" {
        return Ok(None);
    }
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    let expected = "a number of tasks, 1 or more, or `max`";
    number.map(Some).ok_or_else(|| unexpected(text, expected))
}

fn weight(text: &str) -> Result<u64, AmountError> {
    let number = text.parse::<u64>().ok();
    // CGROUP_WEIGHT_MIN and _MAX, include/linux/cgroup.h, v6.12.
    let number = number.filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| unexpected(text, "a weight from 1 to 10000; 100 is the usual one"))
}

fn truth(text: &str) -> Result<bool, AmountError> {
    let truth = text.parse::<bool>();
    truth.map_err(|_| unexpected(text, "`true` or `false`"))
}

/// The kernel's list form, `0-3,7`; without spaces, for the file does not give them back.
fn list(text: &str) -> Result<String, AmountError> {
    let number = |text: &str| text.parse::<u32>().ok();
    let range = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(first)
            .zip(number(last))
            .is_some_and(|(first, last)| first <= last),
        None => number(part).is_some(),
    };
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if packed.split(',').all(range) {
        Ok(packed)
    } else {
        Err(unexpected(text, "numbers and ranges such as `0-3,7`"))
    }
}

fn unexpected(text: &str, expected: &str) -> AmountError {
    AmountError::Unexpected {
        text: text.to_owned(),
        expected: expected.to_owned(),
    }
}
