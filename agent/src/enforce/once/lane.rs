//! How many of one kind may be under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Status;

/// Waiting for their turn, beyond those at work.
const QUEUE: usize = 64;

/// A bounded queue with so many at work at once. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct Lane(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// `notifications`, `kills`.
    what: &'static str,
    at_once: usize,
    /// At work or waiting.
    places: Arc<Semaphore>,
    /// At work.
    turns: Arc<Semaphore>,
    turned_away: AtomicU64,
}

/// A place in the lane, kept until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    turns: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn new(what: &'static str, at_once: usize) -> Self {
        Self(Arc::new(Shared {
            what,
            at_once,
            places: Arc::new(Semaphore::new(at_once + QUEUE)),
            turns: Arc::new(Semaphore::new(at_once)),
            turned_away: AtomicU64::new(0),
        }))
    }

    /// # Errors
    /// There is no room: why, for the record.
    pub(super) fn enter(&self) -> Result<Place, String> {
        match Arc::clone(&self.0.places).try_acquire_owned() {
            Ok(place) => Ok(Place {
                _place: place,
                turns: Arc::clone(&self.0.turns),
            }),
            Err(_full) => {
                self.0.turned_away.fetch_add(1, Ordering::Relaxed);
                Err(format!("too many {} are under way", self.0.what))
            }
        }
    }

    pub(super) fn status(&self) -> Status {
        let shared = &*self.0;
        Status {
            kind: shared.what,
            under_way: shared.at_once + QUEUE - shared.places.available_permits(),
            turned_away: shared.turned_away.load(Ordering::Relaxed),
        }
    }
}

impl Place {
    /// Waits for its turn, which lasts until the permit is dropped.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let lane = Lane::new("tests", 4);
        let mut places: Vec<Place> = (0..4 + QUEUE).map(|_| lane.enter().unwrap()).collect();
        assert_eq!(lane.enter().unwrap_err(), "too many tests are under way");
        let status = |under_way| Status {
            kind: "tests",
            under_way,
            turned_away: 1,
        };
        assert_eq!(lane.status(), status(4 + QUEUE));
        places.pop();
        assert!(lane.enter().is_ok());
        drop(places);
        assert_eq!(lane.status(), status(0));
    }

    #[tokio::test]
    async fn turns_come_in_order() {
        let lane = Lane::new("tests", 1);
        let (first, second) = (lane.enter().unwrap(), lane.enter().unwrap());
        let turn = first.turn().await.unwrap();
        let mut waiting = Box::pin(second.turn());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(turn);
        assert!(waiting.await.is_some());
    }
}
