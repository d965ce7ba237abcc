//! Containers that the engine runs. The oracles are the kernel's files, busybox's own words in the
//! container, and what is left on the host when it is gone.

mod adopt;
mod attach;
mod damaged;
mod exec;
mod harbour;
mod health;
mod kills;
mod life;
mod logs;
mod many;
mod oom;
mod restart;
mod stop;
mod transfer;
mod users;
mod warnings;
mod wired;

use std::time::{Duration, Instant};

/// Asks until there is an answer; panics after a while without one.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
