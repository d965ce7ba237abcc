//! Which directory of which hierarchy carries a controller of one workload.

use std::collections::BTreeMap;

use super::site::Site;
use super::{Knob, NotEnforceable};
use crate::cgroup::{CgroupKey, Controller, HierarchyId, Layout, Placement};

/// Controllers that something is set with.
const USED: [Controller; 6] = [
    Controller::Cpu,
    Controller::Cpuset,
    Controller::Memory,
    Controller::Io,
    Controller::Pids,
    Controller::Freezer,
];

/// Where each controller of a workload is, or why it is nowhere.
#[derive(Debug)]
pub(super) struct Routes {
    sites: BTreeMap<HierarchyId, Site>,
    controllers: BTreeMap<Controller, Result<HierarchyId, String>>,
}

impl Routes {
    pub(super) fn find(layout: &Layout, placement: &Placement) -> Self {
        let open = |(id, path): (&HierarchyId, &String)| {
            // The root is the whole host's.
            let hierarchy = layout.hierarchy(*id).filter(|_| path != "/")?;
            Some((*id, Site::open(hierarchy, path)?))
        };
        let sites: BTreeMap<_, _> = placement.paths.iter().filter_map(open).collect();
        let find = |controller| {
            let carrier = carrier(layout, controller)?;
            if sites.contains_key(&carrier) {
                return Ok(carrier);
            }
            // v2's freezer is in every cgroup, and does for one that is not in v1's.
            if controller == Controller::Freezer && sites.contains_key(&HierarchyId::V2) {
                return Ok(HierarchyId::V2);
            }
            Err(not_there(layout, placement, carrier))
        };
        let controllers = USED.map(|controller| (controller, find(controller)));
        Self {
            sites,
            controllers: controllers.into(),
        }
    }

    /// All cgroups of the workload's own, v2 first.
    pub(super) fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    pub(super) fn unified(&self) -> Option<&Site> {
        self.sites.get(&HierarchyId::V2)
    }

    pub(super) fn keys(&self) -> BTreeMap<HierarchyId, CgroupKey> {
        let keys = self.sites.iter();
        keys.filter_map(|(id, site)| Some((*id, site.key()?)))
            .collect()
    }

    /// The cgroup that carries the controller; an error with the reason where none does.
    pub(super) fn to(
        &self,
        controller: Controller,
        what: &'static str,
    ) -> Result<&Site, NotEnforceable> {
        let refuse = |reason: &str| NotEnforceable {
            what,
            reason: reason.to_owned(),
        };
        match self.controllers.get(&controller) {
            Some(Ok(id)) => self
                .sites
                .get(id)
                .ok_or_else(|| refuse("the workload has no cgroup of its own")),
            Some(Err(reason)) => Err(refuse(reason)),
            None => Err(refuse("nothing is set with this controller")),
        }
    }
}

/// Whether any workload of this host can have the knob set, as far as controllers tell; files that
/// the kernel lacks show only in a cgroup.
///
/// # Errors
/// The reason why none can.
pub fn enforceable_on(layout: &Layout, knob: Knob) -> Result<(), NotEnforceable> {
    let refuse = |reason| NotEnforceable {
        what: knob.name(),
        reason,
    };
    let id = carrier(layout, knob.controller()).map_err(refuse)?;
    match knob.never_on_v1() {
        Some(reason) if id != HierarchyId::V2 => Err(refuse(reason.to_owned())),
        _ => Ok(()),
    }
}

fn carrier(layout: &Layout, controller: Controller) -> Result<HierarchyId, String> {
    match (layout.controller(controller), layout.unified()) {
        (Some(hierarchy), _) => Ok(hierarchy.id),
        (None, Some(unified)) => Err(format!(
            "no cgroup hierarchy carries the {} controller: it is not in {}",
            controller.name(),
            unified.mount.join("cgroup.controllers").display()
        )),
        (None, None) => Err(format!(
            "no cgroup hierarchy carries the {} controller",
            controller.name()
        )),
    }
}

fn not_there(layout: &Layout, placement: &Placement, carrier: HierarchyId) -> String {
    let mount = layout.hierarchy(carrier).map(|h| h.mount.display());
    let mount = mount.map(|mount| mount.to_string()).unwrap_or_default();
    match placement.paths.get(&carrier).map(String::as_str) {
        None => format!("the workload has no cgroup in {mount}"),
        Some("/") => {
            format!("the workload is in the root of {mount}, whose limits would be the host's")
        }
        Some(path) => format!("its cgroup {path} is outside what is mounted at {mount}"),
    }
}
