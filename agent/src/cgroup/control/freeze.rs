//! Stopping all processes of a cgroup, and letting them go on.

use std::thread;
use std::time::{Duration, Instant};

use cgroups_rs::fs::freezer::FreezerController;

use super::site::Site;
use super::{Control, ControlError, Knob, Quota, Setting, cpu, processes};
use crate::cgroup::Controller;
use crate::cgroup::parse;

/// Half a millisecond is usual. A process that waits for a device cannot be frozen before it is done.
const AT_MOST: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_micros(200);
/// v1 tries only once by itself (kernel/cgroup/legacy_freezer.c freezer_change_state(), v6.12).
const V1_AGAIN: Duration = Duration::from_millis(5);

const V1_STATE: &str = "freezer.state";

impl Control {
    /// Whether it was asked for on this cgroup itself; one above it may be frozen too.
    pub(super) fn read_freeze(&self) -> Result<bool, ControlError> {
        let site = self.site(Knob::Freeze)?;
        let file = if site.is_unified() {
            "cgroup.freeze"
        } else {
            "freezer.self_freezing"
        };
        Ok(site.number(file)? != 0)
    }

    /// Returns when all are stopped. What was asked for stays asked for when that takes too long.
    pub(super) fn write_freeze(&self, freeze: bool) -> Result<(), ControlError> {
        let site = self.site(Knob::Freeze)?;
        if !freeze {
            return ask(site, false);
        }
        processes::refuse_own(site)?;
        let start = Instant::now();
        // A throttled process freezes only when it runs again, in its next period; and before 6.18
        // it may be throttled while it holds a lock that freezing needs.
        let lifted = self.lifted_quota()?;
        let frozen = ask(site, true).and_then(|()| wait(site, start, AT_MOST));
        if let Some((cpu_site, quota)) = lifted {
            cpu::write_max(cpu_site, quota)?;
        }
        let frozen = frozen?;
        if frozen {
            return Ok(());
        }
        Err(ControlError::NotFrozen {
            path: site.directory().to_owned(),
            waited: start.elapsed(),
        })
    }

    /// The quota that a freeze lifts for a moment.
    pub(super) fn quota(&self) -> Result<Option<(&Site, Quota)>, ControlError> {
        // Without a cpu controller there is none to lift.
        let Ok(site) = self.routes.to(Controller::Cpu, "cpu.max") else {
            return Ok(None);
        };
        let quota = match cpu::read_max(site) {
            Ok(quota) => quota,
            // Nor where the controller is not enabled.
            Err(ControlError::Read { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(quota.quota_us.is_some().then_some((site, quota)))
    }

    fn lifted_quota(&self) -> Result<Option<(&Site, Quota)>, ControlError> {
        let limited = self.quota()?;
        if let Some((site, quota)) = limited {
            cpu::write_max(
                site,
                Quota {
                    quota_us: None,
                    ..quota
                },
            )?;
        }
        Ok(limited)
    }
}

/// What a freeze changes for a moment.
pub(super) fn changed(control: &Control) -> Result<Vec<Setting>, ControlError> {
    let limited = control.quota()?;
    Ok(limited
        .map(|(_, quota)| Setting::CpuMax(quota))
        .into_iter()
        .collect())
}

pub(super) fn ask(site: &Site, freeze: bool) -> Result<(), ControlError> {
    let (file, value) = match (site.is_unified(), freeze) {
        (true, true) => ("cgroup.freeze", "1"),
        (true, false) => ("cgroup.freeze", "0"),
        (false, true) => (V1_STATE, "FROZEN"),
        (false, false) => (V1_STATE, "THAWED"),
    };
    site.through(file, value, |path| {
        let controller = FreezerController::new(path.clone(), path, site.is_unified());
        if freeze {
            controller.freeze()
        } else {
            controller.thaw()
        }
    })
}

/// Polls until all are stopped; `false`: not within that time since the start.
pub(super) fn wait(site: &Site, start: Instant, at_most: Duration) -> Result<bool, ControlError> {
    let mut asked = Instant::now();
    loop {
        if frozen(site)? {
            return Ok(true);
        }
        if start.elapsed() >= at_most {
            return Ok(false);
        }
        if !site.is_unified() && asked.elapsed() >= V1_AGAIN {
            ask(site, true)?;
            asked = Instant::now();
        }
        thread::sleep(LOOK);
    }
}

fn frozen(site: &Site) -> Result<bool, ControlError> {
    if site.is_unified() {
        let events = site.read("cgroup.events")?;
        return Ok(parse::field(events.as_bytes(), b"frozen") == Some(1));
    }
    Ok(site.read(V1_STATE)? == "FROZEN")
}
