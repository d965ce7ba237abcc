//! What a process is confined to, last, by itself.
//!
//! `libcontainer` gives a process that joins no seccomp filter at all (libcontainer 0.7.0,
//! container/tenant_builder.rs `adapt_spec_for_tenant`), and compiles the first one's anew at each start. So
//! it is left with enough capabilities to be confined, and confines itself before it becomes the program.

use std::collections::HashSet;
use std::error::Error;

use libcontainer::capabilities::drop_privileges;
use libcontainer::oci_spec::runtime::{Capability, LinuxCapabilities, Process, Spec};
use libcontainer::syscall::syscall::create_syscall;

use super::filter::{Filter, FilterError, notifies};
use super::spec::{no_capabilities, swap_masks};

#[derive(Clone, Debug)]
pub(super) struct Confinement {
    capabilities: LinuxCapabilities,
    filter: Option<Filter>,
}

impl Confinement {
    /// Takes the confinement of the first process out of a specification for `libcontainer`. `None`: it does it
    /// by itself, because somebody is to be notified.
    pub(super) fn of_first(spec: &mut Spec) -> Result<Option<Self>, FilterError> {
        let Some(linux) = spec.linux_mut() else {
            return Ok(None);
        };
        let Some(mut profile) = linux.seccomp().clone() else {
            return Ok(None);
        };
        if notifies(&profile) {
            swap_masks(&mut profile);
            linux.set_seccomp(Some(profile));
            return Ok(None);
        }
        linux.set_seccomp(None);
        let filter = Filter::of(&profile)?;
        let process = spec.process_mut().as_mut();
        Ok(process.map(|process| Self::of(process, Some(filter))))
    }

    /// Takes it out of a process.
    pub(super) fn of(process: &mut Process, filter: Option<Filter>) -> Self {
        let capabilities = process.capabilities().clone();
        let capabilities = capabilities.unwrap_or_else(no_capabilities);
        process.set_capabilities(Some(enough_to_confine(&capabilities)));
        Self {
            capabilities,
            filter,
        }
    }

    /// The same for one that joins users of the workload's own, where it gets all capabilities, and which need not be
    /// held here.
    pub(super) fn of_other_users(process: &mut Process, filter: Option<Filter>) -> Self {
        let confinement = Self::of(process, filter);
        process.set_capabilities(Some(enough_to_confine(&no_capabilities())));
        confinement
    }

    /// What it has in the end.
    pub(super) fn capabilities(&self) -> &LinuxCapabilities {
        &self.capabilities
    }

    pub(super) fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// Confines this process.
    pub(super) fn enter(&self) -> Result<(), Box<dyn Error>> {
        // Before capabilities are dropped: loading it takes some.
        if let Some(filter) = &self.filter {
            filter.load()?;
        }
        Ok(drop_privileges(
            &self.capabilities,
            create_syscall().as_ref(),
        )?)
    }
}

/// With the capabilities to load a filter, to join a user namespace, to drop from the bounding set, and to give a
/// terminal away.
fn enough_to_confine(last: &LinuxCapabilities) -> LinuxCapabilities {
    let sets = [last.bounding(), last.effective(), last.permitted()];
    let mut all: HashSet<Capability> = sets.into_iter().flatten().flatten().copied().collect();
    all.extend([Capability::SysAdmin, Capability::Setpcap, Capability::Chown]);
    let mut enough = last.clone();
    enough.set_bounding(Some(all.clone()));
    enough.set_effective(Some(all.clone()));
    enough.set_permitted(Some(all));
    enough.set_ambient(None);
    enough
}
