//! How often policies may act.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Spent {
    #[error("{0} actions were taken in the last minute, which is all that [protect] allows")]
    Actions(u32),
    #[error("{0} kills were done in the last hour, which is all that [protect] allows")]
    Kills(u32),
}

/// What policies have done of late. Limits may change at any time; what was done is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    actions: Window,
    kills: Window,
}

impl Budgets {
    /// Nothing done yet.
    #[must_use]
    pub(crate) fn new(actions_per_minute: u32, kills_per_hour: u32) -> Self {
        Self {
            actions: Window::new(MINUTE, actions_per_minute),
            kills: Window::new(HOUR, kills_per_hour),
        }
    }

    /// Sets other limits.
    pub(crate) fn set(&mut self, actions_per_minute: u32, kills_per_hour: u32) {
        self.actions.limit = actions_per_minute;
        self.kills.limit = kills_per_hour;
    }

    /// Takes an action, which may be a kill, out of the budgets.
    ///
    /// # Errors
    /// One is used up; nothing is taken then.
    pub(crate) fn spend(&mut self, kill: bool, now: Instant) -> Result<(), Spent> {
        if !self.actions.has_room(now) {
            return Err(Spent::Actions(self.actions.limit));
        }
        if kill && !self.kills.has_room(now) {
            return Err(Spent::Kills(self.kills.limit));
        }
        self.actions.done.push_back(now);
        if kill {
            self.kills.done.push_back(now);
        }
        Ok(())
    }
}

/// When things were done, as far back as `span`.
#[derive(Clone, Debug)]
struct Window {
    span: Duration,
    limit: u32,
    done: VecDeque<Instant>,
}

impl Window {
    fn new(span: Duration, limit: u32) -> Self {
        Self {
            span,
            limit,
            done: VecDeque::new(),
        }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        while let Some(oldest) = self.done.front() {
            if now.saturating_duration_since(*oldest) < self.span {
                break;
            }
            self.done.pop_front();
        }
        self.done.len() < self.limit as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lowered_limit_counts_what_was_done_before() {
        let (mut budgets, now) = (Budgets::new(6, 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(budgets.spend(true, now), Ok(()));
        }
        assert_eq!(budgets.spend(true, now), Err(Spent::Kills(3)));
        assert_eq!(budgets.spend(false, now), Ok(()));
        budgets.set(2, 10);
        assert_eq!(budgets.spend(false, now), Err(Spent::Actions(2)));
        let later = now + MINUTE;
        assert_eq!(budgets.spend(true, later), Ok(()));
        budgets.set(2, 4);
        assert_eq!(budgets.spend(true, later), Err(Spent::Kills(4)));
        assert_eq!(budgets.spend(true, now + HOUR), Ok(()));
    }

    proptest! {
        /// Whatever is asked: in no window is more done than is allowed.
        #[test]
        fn no_window_has_more(
            asked in prop::collection::vec((0u64..20_000, any::<bool>()), 1..200),
            actions in 0u32..10,
            kills in 0u32..5,
        ) {
            let (mut budgets, start) = (Budgets::new(actions, kills), Instant::now());
            let (mut now, mut done) = (start, Vec::new());
            for (wait_ms, kill) in asked {
                now += Duration::from_millis(wait_ms);
                if budgets.spend(kill, now).is_ok() {
                    done.push((now, kill));
                }
            }
            for (end, _) in &done {
                let within = |span: Duration| {
                    done.iter().filter(move |(at, _)| at <= end && *end - *at < span)
                };
                prop_assert!(within(MINUTE).count() <= actions as usize);
                prop_assert!(within(HOUR).filter(|(_, kill)| *kill).count() <= kills as usize);
            }
        }
    }
}
