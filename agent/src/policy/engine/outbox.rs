//! Orders on their way out.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::status::OrderCount;
use crate::ledger::Histogram;
use crate::policy::order::{Claimant, Mode, Once, Order, Step};

/// Orders that wait for room. More than every limit of a thousand workloads.
const MOST_WAITING: usize = 16_384;

/// Upper bounds of the time from a reading to its order, in seconds.
const REACTION: [f64; 10] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
];

/// Sends them, in their order.
#[derive(Debug)]
pub(super) struct Outbox {
    orders: mpsc::Sender<Order>,
    waiting: VecDeque<Order>,
    counts: BTreeMap<(String, String, &'static str, &'static str), u64>,
    reaction: Histogram,
    /// Orders that found no room at once, and that were given up.
    delayed: u64,
    dropped: u64,
}

impl Outbox {
    pub(super) fn new(orders: mpsc::Sender<Order>) -> Self {
        Self {
            orders,
            waiting: VecDeque::new(),
            counts: BTreeMap::new(),
            reaction: Histogram {
                bounds_seconds: REACTION.to_vec(),
                counts: vec![0; REACTION.len() + 1],
                sum_seconds: 0.0,
            },
            delayed: 0,
            dropped: 0,
        }
    }

    /// Takes orders, and sends what there is room for.
    pub(super) fn take(&mut self, orders: Vec<Order>) {
        for order in orders {
            self.count(&order);
            if self.waiting.len() >= MOST_WAITING {
                self.dropped += 1;
                continue;
            }
            self.waiting.push_back(order);
        }
        self.flush();
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) {
        while let Some(order) = self.waiting.pop_front() {
            let took = order.evidence.read.elapsed();
            match self.orders.try_send(order) {
                Ok(()) => self.reaction.observe(took),
                Err(TrySendError::Full(order)) => {
                    self.delayed += 1;
                    self.waiting.push_front(order);
                    return;
                }
                Err(TrySendError::Closed(_)) => {
                    self.waiting.clear();
                    return;
                }
            }
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether nobody takes orders any more.
    pub(super) fn is_closed(&self) -> bool {
        self.orders.is_closed()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(super) const fn delayed(&self) -> u64 {
        self.delayed
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn reaction(&self) -> Histogram {
        self.reaction.clone()
    }

    pub(super) fn counts(&self) -> Vec<OrderCount> {
        let counts = self.counts.iter();
        counts
            .map(|((policy, rule, step, mode), count)| OrderCount {
                policy: policy.clone(),
                rule: (!rule.is_empty()).then(|| rule.clone()),
                step: (*step).to_owned(),
                mode: (*mode).to_owned(),
                count: *count,
            })
            .collect()
    }

    fn count(&mut self, order: &Order) {
        // Operators do not order here.
        let Claimant::Policy { policy, rule, .. } = &order.claimant else {
            return;
        };
        let key = (
            policy.to_string(),
            rule.as_deref().unwrap_or_default().to_owned(),
            kind(&order.step),
            match order.mode {
                Mode::Monitor => "monitor",
                Mode::Enforce => "enforce",
            },
        );
        *self.counts.entry(key).or_default() += 1;
    }
}

/// What sort of step it is, for metrics.
const fn kind(step: &Step) -> &'static str {
    match step {
        Step::Hold(_) => "hold",
        Step::Release(_) => "release",
        Step::Once(Once::Notify { .. }) => "notify",
        Step::Once(Once::Reclaim { .. }) => "reclaim",
        Step::Once(Once::Kill { .. }) => "kill",
        Step::Once(Once::Restart) => "restart",
    }
}
