//! Whether the host forwards packets: switched on when a network first needs it, remembered, and switched back when
//! the last bridge goes that leads out. An agent that stops leaves bridges, as Docker does, and so this: meanwhile
//! others may rely on it.
//!
//! A host that was no router does not become one between its own interfaces: those that were there before are
//! noted, and the rules drop what would go from one of them to another.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::links::Link;
use super::{NetworkError, sysctl};

const FILE: &str = "forwarding.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const IPV6_INTERFACES: &str = "/proc/sys/net/ipv6/conf";

/// What was switched on for containers' sake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forwarding {
    /// Settings that the kernel forgets at its next start, with which this is void.
    boot_id: String,
    /// Each setting's value before, in the order of change.
    before: Vec<(String, String)>,
    /// Interfaces that packets were not forwarded between, by family: 4 and 6.
    unrouted: BTreeMap<u8, Vec<String>>,
}

impl Forwarding {
    /// As an agent of this boot left it.
    pub(super) fn open(disk: &Disk) -> Result<Self, NetworkError> {
        let boot_id = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let kept = disk.read::<Self>(FILE)?;
        Ok(kept
            .filter(|kept| kept.boot_id == boot_id)
            .unwrap_or_else(|| Self {
                boot_id,
                ..Self::default()
            }))
    }

    /// Interfaces that are not to be routed between, in IPv4 (4) or IPv6 (6).
    pub(super) fn unrouted(&self, family: u8) -> &[String] {
        self.unrouted.get(&family).map_or(&[], Vec::as_slice)
    }

    /// Switches it on where it is off. `links` are those of the host that are not ours.
    pub(super) fn need(
        &mut self,
        disk: &Disk,
        ipv6: bool,
        links: impl Fn() -> std::io::Result<Vec<Link>>,
    ) -> Result<(), NetworkError> {
        self.switch(disk, 4, "ipv4/ip_forward", &[], &links)?;
        if ipv6 {
            let listeners = listeners();
            self.switch(disk, 6, "ipv6/conf/all/forwarding", &listeners, &links)?;
        }
        Ok(())
    }

    /// Sets everything back that still is as it was set here.
    pub(super) fn release(&mut self, disk: &Disk) -> Result<(), NetworkError> {
        for (name, value) in self.before.iter().rev() {
            if sysctl::read(name).as_deref() == Some(set_to(name)) {
                sysctl::write(name, value)?;
            }
        }
        self.before.clear();
        self.unrouted.clear();
        disk.forget(FILE)
    }

    fn switch(
        &mut self,
        disk: &Disk,
        family: u8,
        name: &str,
        besides: &[String],
        links: &impl Fn() -> std::io::Result<Vec<Link>>,
    ) -> Result<(), NetworkError> {
        if sysctl::read(name).as_deref() != Some("0") {
            return Ok(());
        }
        let names = links().map_err(|source| NetworkError::Link {
            what: "list the interfaces of",
            subject: "the host".into(),
            source,
        })?;
        let names = names.into_iter().map(|link| link.name);
        self.unrouted
            .insert(family, names.filter(|name| name != "lo").collect());
        let all = besides.iter().map(String::as_str).chain([name]);
        let all: Vec<&str> = all.collect();
        for name in &all {
            let present = sysctl::read(name).unwrap_or_default();
            self.before.push(((*name).to_owned(), present));
        }
        // On disk before it is done: who is killed here is followed by one who sets it back.
        disk.keep(FILE, self)?;
        all.iter()
            .try_for_each(|name| sysctl::write(name, set_to(name)))
    }
}

/// Interfaces that learn their routes from routers. They stop as soon as the host forwards, unless they are told
/// to go on (`Documentation/networking/ip-sysctl.rst`, accept_ra, v6.12).
fn listeners() -> Vec<String> {
    let entries = fs::read_dir(IPV6_INTERFACES).into_iter().flatten();
    let names = entries.flatten().map(|entry| {
        format!(
            "ipv6/conf/{}/accept_ra",
            entry.file_name().to_string_lossy()
        )
    });
    names
        .filter(|name| sysctl::read(name).as_deref() == Some("1"))
        .filter(|name| !name.contains("/all/"))
        .collect()
}

fn set_to(name: &str) -> &'static str {
    if name.ends_with("accept_ra") {
        "2"
    } else {
        "1"
    }
}
