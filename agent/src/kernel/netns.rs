//! Interface names in another network namespace.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use nix::net::if_::if_nameindex;
use nix::sched::{CloneFlags, setns};

/// Interface numbers and names as the process sees them. Runs a short-lived thread that enters the
/// process's network namespace; the probes leave out what the agent itself enters.
pub fn interface_names(tgid: u32) -> io::Result<BTreeMap<u32, String>> {
    let namespace = File::open(format!("/proc/{tgid}/ns/net"))?;
    let enter_and_list = move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        let interfaces = if_nameindex()?;
        let names = interfaces
            .iter()
            .map(|one| (one.index(), one.name().to_string_lossy().into_owned()));
        Ok(names.collect())
    };
    let thread = std::thread::Builder::new()
        .name("netns".into())
        .spawn(enter_and_list)?;
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the netns thread panicked")))
}
