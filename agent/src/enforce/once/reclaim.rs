//! Taking memory back.

use std::sync::Arc;
use std::time::Duration;

use super::errand::{Ending, blocking};
use crate::cgroup::Control;

/// A ladder has other steps to go.
const AT_MOST: Duration = Duration::from_secs(2);

/// Asks the kernel for so many bytes of the workload's memory.
pub(super) async fn reclaim(control: Arc<Control>, bytes: u64) -> Ending {
    let work = move || {
        let before = control.memory_usage()?;
        let taken = control.reclaim(bytes, AT_MOST)?;
        Ok((before, taken, control.memory_usage()?))
    };
    let (before, taken, after) = match blocking(work).await {
        Ok(usage) => usage,
        Err(ending) => return ending,
    };
    let mut ending = if taken == 0 {
        Ending::failed("the kernel finds nothing to take back")
    } else {
        Ending::done(format!(
            "{taken} of {bytes} bytes taken back, memory.current {after}"
        ))
    };
    ending.before = Some(format!("memory.current {before}"));
    ending
}
