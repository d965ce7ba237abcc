//! `pids.max`, the same on v1 and v2.

use cgroups_rs::fs::MaxValue;
use cgroups_rs::fs::pid::PidController;

use super::site::Site;
use super::{ControlError, Knob};

pub(super) const MAX: &str = "pids.max";

/// PID_MAX_LIMIT on 64-bit kernels (include/linux/threads.h, v6.12); more is EINVAL.
const MOST: u64 = 4 << 20;

pub(super) fn write(site: &Site, tasks: Option<u64>) -> Result<(), ControlError> {
    let value = match tasks {
        None => MaxValue::Max,
        Some(tasks) => MaxValue::Value(
            i64::try_from(tasks)
                .ok()
                .filter(|_| tasks <= MOST)
                .ok_or_else(|| ControlError::Invalid {
                    knob: Knob::PidsMax,
                    value: tasks.to_string(),
                    reason: format!("the kernel takes {MOST} at most"),
                })?,
        ),
    };
    site.through(MAX, &value.to_string(), |path| {
        PidController::new(path.clone(), path, site.is_unified()).set_pid_max(value)
    })
}
