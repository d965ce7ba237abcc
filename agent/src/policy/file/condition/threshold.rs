//! `above`, `below` and `clear`.

use crate::cgroup::Knob;
use crate::policy::amount::knob_named;
use crate::policy::condition::{Bound, Compare, Condition, Threshold};
use crate::policy::file::node::{Node, Table};
use crate::policy::file::problems::Problems;
use crate::policy::file::word::listed;
use crate::policy::metric::{Metric, Unit};
use crate::policy::units::{BitRate, ByteRate, ByteSize, Cores, OperationRate, Percent, UnitError};

/// What a threshold is compared with.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Metric(Metric),
    /// So much a second more.
    Growth(Metric),
    Pressure,
}

/// The bound of a condition.
pub(super) fn bound(table: &Table<'_>, kind: Kind, problems: &mut Problems) -> Option<Bound> {
    let (compare, node) = match (table.get("above"), table.get("below")) {
        (Some(above), None) => (Compare::Above, above),
        (None, Some(below)) => (Compare::Below, below),
        (None, None) | (Some(_), Some(_)) => {
            problems.at(&table.path, "write either `above` or `below`");
            return None;
        }
    };
    let threshold = read(&node, kind, problems);
    let clear = table.get("clear").map(|node| read(&node, kind, problems));
    Some(Bound {
        compare,
        threshold: threshold?,
        clear: match clear {
            Some(clear) => Some(clear?),
            None => None,
        },
    })
}

/// Gives the rule's `clear` to every condition of that direction whose unit it is in and that has
/// none of its own.
pub(in crate::policy::file) fn clear_all(
    when: &mut Condition,
    compare: Compare,
    node: &Node<'_>,
    problems: &mut Problems,
) {
    let Some(text) = node.scalar() else {
        node.wrong("a quantity with its unit, in quotes", problems);
        return;
    };
    let mut bounds = Vec::new();
    collect(when, &mut bounds);
    bounds.retain(|(_, bound)| bound.compare == compare && bound.clear.is_none());
    let alone = bounds.len() == 1;
    let mut last_error = None;
    let mut given = false;
    for (kind, bound) in bounds {
        // `10%` is pressure, or a tenth of a core: in doubt it is no core.
        if !alone && kind.unit() == Unit::Cores && text.parse::<Percent>().is_ok() {
            continue;
        }
        match parse(&text, kind) {
            Ok(threshold) => {
                bound.clear = Some(threshold);
                given = true;
            }
            Err(error) => last_error = Some(error),
        }
    }
    if !given {
        let what = last_error.unwrap_or_else(|| {
            format!(
                "no condition here says `{}` without a `clear` of its own",
                compare.name()
            )
        });
        problems.at(&node.path, what);
    }
}

fn collect<'c>(condition: &'c mut Condition, bounds: &mut Vec<(Kind, &'c mut Bound)>) {
    match condition {
        Condition::Any(several) | Condition::All(several) => {
            for condition in several {
                collect(condition, bounds);
            }
        }
        Condition::Metric(c) => bounds.push((Kind::Metric(c.metric), &mut c.bound)),
        Condition::Rate(c) => bounds.push((Kind::Growth(c.metric), &mut c.bound)),
        Condition::Psi(c) => bounds.push((Kind::Pressure, &mut c.bound)),
        Condition::Event(_) => {}
    }
}

fn read(node: &Node<'_>, kind: Kind, problems: &mut Problems) -> Option<Threshold> {
    let Some(text) = node.scalar() else {
        node.wrong("a quantity with its unit, in quotes", problems);
        return None;
    };
    match parse(&text, kind) {
        Ok(threshold) => Some(threshold),
        Err(what) => {
            problems.at(&node.path, what);
            None
        }
    }
}

/// The error says what to write.
fn parse(text: &str, kind: Kind) -> Result<Threshold, String> {
    if let Some((share, of)) = text.split_once(" of ") {
        let Percent(percent) = share
            .parse()
            .map_err(|error: UnitError| error.to_string())?;
        return share_of(percent, of.trim(), kind);
    }
    let value = match kind.unit() {
        Unit::Bytes | Unit::Count if text.parse::<Percent>().is_ok() => {
            return Err(share_of_what(text.trim(), kind));
        }
        Unit::Bytes => whole(text, |ByteSize(bytes)| bytes),
        Unit::Count => count(text),
        Unit::Cores => text.parse().map(|Cores(cores)| cores).map_err(shown),
        Unit::Percent => text.parse().map(|Percent(percent)| percent).map_err(shown),
        Unit::BytesPerSecond => whole(text, |ByteRate(rate)| rate),
        Unit::OperationsPerSecond => whole(text, |OperationRate(rate)| rate),
        Unit::BitsPerSecond => whole(text, |BitRate(rate)| rate),
    };
    value.map(Threshold::Value)
}

/// `90%` alone, of what can only be compared with a share of something.
fn share_of_what(text: &str, kind: Kind) -> String {
    match kind.bases().first() {
        Some(base) => format!("a share needs to say of what: `{text} of {base}`"),
        None => format!("expected a quantity, not the share `{text}`"),
    }
}

fn share_of(percent: f64, of: &str, kind: Kind) -> Result<Threshold, String> {
    let bases = kind.bases();
    if !bases.contains(&of) {
        let shown = kind.shown();
        return Err(match bases.as_slice() {
            [] => format!("{shown} is compared with a value, not with a share of `{of}`"),
            bases => format!(
                "{shown} cannot be compared with a share of `{of}`; with one of {} it can",
                listed(bases)
            ),
        });
    }
    Ok(match knob_named(of) {
        Some(knob) => Threshold::PercentOfKnob { knob, percent },
        None => Threshold::PercentOfHost(percent),
    })
}

fn count(text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<u32>().map(f64::from);
    number.map_err(|_| format!("expected a whole number such as `200`, not `{text}`"))
}

fn whole<T>(text: &str, number: fn(T) -> u64) -> Result<f64, String>
where
    T: std::str::FromStr<Err = UnitError>,
{
    // Beyond 2^53 nothing is read that exactly.
    #[allow(clippy::cast_precision_loss)]
    let value = text.parse().map(|quantity| number(quantity) as f64);
    value.map_err(shown)
}

#[allow(clippy::needless_pass_by_value)]
fn shown(error: UnitError) -> String {
    error.to_string()
}

impl Kind {
    const fn unit(self) -> Unit {
        match self {
            Self::Metric(metric) => metric.unit(),
            Self::Growth(metric) => metric.unit().per_second(),
            Self::Pressure => Unit::Percent,
        }
    }

    /// What it can be a share of.
    fn bases(self) -> Vec<&'static str> {
        let knobs: &[Knob] = match self {
            Self::Metric(Metric::MemoryUsage | Metric::MemoryWorkingSet | Metric::MemoryAnon) => {
                &[Knob::MemoryMax, Knob::MemoryHigh]
            }
            Self::Metric(Metric::MemorySwap) => &[Knob::MemorySwapMax],
            Self::Metric(Metric::CpuUsage) => &[Knob::CpuMax],
            Self::Metric(Metric::PidsCurrent) => &[Knob::PidsMax],
            Self::Metric(_) | Self::Growth(_) | Self::Pressure => &[],
        };
        let mut names: Vec<&str> = knobs.iter().map(|knob| knob.name()).collect();
        if matches!(
            self,
            Self::Metric(
                Metric::MemoryUsage
                    | Metric::MemoryWorkingSet
                    | Metric::MemoryAnon
                    | Metric::CpuUsage
            )
        ) {
            names.push("host");
        }
        names
    }

    fn shown(self) -> String {
        match self {
            Self::Metric(metric) => metric.to_string(),
            Self::Growth(metric) => format!("growth of {metric}"),
            Self::Pressure => "pressure".to_owned(),
        }
    }
}
