//! What a policy says of its own limits, worked out.

use super::ladder::Action;
use super::order::{Amount, Limit};
use super::set::Policy;
use crate::cgroup::{Knob, Setting};
use crate::kernel::TrafficRules;

/// Memory limits are in whole pages, `page_counter_memparse()`, `mm/page_counter.c`, v6.12.
const PAGE: u64 = 4_096;

/// Turns shares of what the policy itself sets into values, so that they do not depend on what is
/// written first, and completes the traffic rules of its steps.
pub(super) fn settle(policy: &mut Policy) {
    shares(&mut policy.limits);
    let own = policy.limits.iter().find_map(|limit| match limit {
        Limit::Traffic(rules) => Some(rules.clone()),
        Limit::Cgroup(_) | Limit::Io { .. } | Limit::Devices(_) => None,
    });
    for step in policy.rules.iter_mut().flat_map(|rule| &mut rule.then) {
        let Action::Hold(hold) = &mut step.action else {
            continue;
        };
        shares(&mut hold.limits);
        for limit in &mut hold.limits {
            if let (Limit::Traffic(rules), Some(own)) = (limit, &own) {
                complete(rules, own);
            }
        }
    }
}

/// The bytes that one of several limits sets a memory knob to; `None`: it sets no number.
pub(super) fn bytes_of(limits: &[Limit], knob: Knob) -> Option<u64> {
    let settings = limits.iter().filter_map(exactly);
    settings
        .filter(|setting| setting.knob() == knob)
        .find_map(bytes)
}

/// What a limit sets, where that is no share and no change.
pub(super) fn exactly(limit: &Limit) -> Option<&Setting> {
    match limit {
        Limit::Cgroup(wanted) => match &wanted.amount {
            Amount::Exactly(setting) => Some(setting),
            Amount::PercentOf { .. } | Amount::Change(_) => None,
        },
        Limit::Io { .. } | Limit::Traffic(_) | Limit::Devices(_) => None,
    }
}

/// Whole shares only of what is a number. Twice, for a share of a share.
fn shares(limits: &mut [Limit]) {
    for _ in 0..2 {
        for index in 0..limits.len() {
            let Some(Limit::Cgroup(wanted)) = limits.get(index) else {
                continue;
            };
            let Amount::PercentOf { knob, percent } = wanted.amount else {
                continue;
            };
            let own = wanted.knob;
            let Some(base) = bytes_of(limits, knob) else {
                continue;
            };
            if let (Some(Limit::Cgroup(wanted)), Some(setting)) =
                (limits.get_mut(index), with_bytes(own, share(base, percent)))
            {
                wanted.amount = Amount::Exactly(setting);
            }
        }
    }
}

/// Memory is far below 2^53 bytes.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn share(bytes: u64, percent: f64) -> u64 {
    (bytes as f64 * percent / 100.0) as u64 / PAGE * PAGE
}

fn bytes(setting: &Setting) -> Option<u64> {
    match setting {
        Setting::MemoryMax(bytes)
        | Setting::MemoryHigh(bytes)
        | Setting::MemoryLow(bytes)
        | Setting::MemoryMin(bytes)
        | Setting::MemorySwapMax(bytes) => *bytes,
        Setting::CpuMax(_)
        | Setting::CpuMaxBurst(_)
        | Setting::CpuWeight(_)
        | Setting::CpuShares(_)
        | Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::PidsMax(_)
        | Setting::IoMax(..)
        | Setting::IoWeight(_)
        | Setting::IoBfqWeight(_)
        | Setting::Freeze(_) => None,
    }
}

fn with_bytes(knob: Knob, bytes: u64) -> Option<Setting> {
    match knob {
        Knob::MemoryMax => Some(Setting::MemoryMax(Some(bytes))),
        Knob::MemoryHigh => Some(Setting::MemoryHigh(Some(bytes))),
        Knob::MemoryLow => Some(Setting::MemoryLow(Some(bytes))),
        Knob::MemoryMin => Some(Setting::MemoryMin(Some(bytes))),
        Knob::MemorySwapMax => Some(Setting::MemorySwapMax(Some(bytes))),
        Knob::CpuMax
        | Knob::CpuMaxBurst
        | Knob::CpuWeight
        | Knob::CpuIdle
        | Knob::CpusetCpus
        | Knob::CpusetMems
        | Knob::MemoryOomGroup
        | Knob::PidsMax
        | Knob::IoMax(_)
        | Knob::IoWeight
        | Knob::Freeze => None,
    }
}

/// A rule's traffic claim goes before the policy's as a whole: without this, a step that lowers a
/// rate would open what the policy denies.
fn complete(rules: &mut TrafficRules, own: &TrafficRules) {
    fn fill<T: Clone>(list: &mut Vec<T>, own: &[T]) {
        if list.is_empty() {
            list.extend_from_slice(own);
        }
    }
    let TrafficRules {
        egress_bits_per_second,
        ingress_bits_per_second,
        burst_bytes,
        connect_allow,
        connect_deny,
        bind_allow,
        bind_deny,
    } = rules;
    let new_rate = egress_bits_per_second.is_some() || ingress_bits_per_second.is_some();
    *egress_bits_per_second = egress_bits_per_second.or(own.egress_bits_per_second);
    *ingress_bits_per_second = ingress_bits_per_second.or(own.ingress_bits_per_second);
    // A burst was chosen for the rate it stands with.
    if !new_rate {
        *burst_bytes = burst_bytes.or(own.burst_bytes);
    }
    fill(connect_allow, &own.connect_allow);
    fill(connect_deny, &own.connect_deny);
    fill(bind_allow, &own.bind_allow);
    fill(bind_deny, &own.bind_deny);
}
