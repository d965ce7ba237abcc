//! Who a process is that joins a workload with users of its own.
//!
//! `libcontainer` 0.7.0 has it join all namespaces but that of the users (container/tenant_builder.rs
//! `NAMESPACE_TYPES`): it would be the host's user of that number, with capabilities over the host.

use std::fs::File;
use std::io;
use std::sync::Arc;

use libcontainer::oci_spec::runtime::{Process as ProcessSpec, User};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::Process;

/// A user, and the namespace in which it is one.
#[derive(Clone, Debug)]
pub(super) struct Users {
    namespace: Arc<File>,
    user: User,
}

impl Users {
    /// Of a process that is to join the workload with this first process. What starts it is to be the host's root until
    /// [`enter`](Self::enter).
    pub(super) fn of(process: &mut ProcessSpec, init: Process) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{}/ns/user", init.pid))?;
        // It is not another's by now.
        if !init.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let user = process.user().clone();
        let mut root = User::default();
        root.set_umask(user.umask());
        process.set_user(root);
        Ok(Self {
            namespace: Arc::new(namespace),
            user,
        })
    }

    /// Makes this process, which has one thread, that user. It has all capabilities there are then, over what is the
    /// namespace's.
    pub(super) fn enter(&self) -> io::Result<()> {
        // From here on whoever has the capabilities in that namespace could trace it, with what it still has open.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        setns(&*self.namespace, CloneFlags::CLONE_NEWUSER)?;
        let (user, group) = (
            Uid::from_raw(self.user.uid()),
            Gid::from_raw(self.user.gid()),
        );
        let groups = self.user.additional_gids().as_deref().unwrap_or_default();
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups)?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
        Ok(())
    }
}
