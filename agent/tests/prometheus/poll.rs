//! Waiting for something to be so.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);

/// Asks until there is a value. `Err` is what still was not so at the deadline.
pub(crate) fn until<T>(
    limit: Duration,
    mut ask: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() >= deadline => {
                return Err(format!("after {limit:?}: {reason}"));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
