//! Kernel settings of the network namespace of the calling thread. `/proc/sys/net` shows each thread its own
//! namespace's (`net/sysctl_net.c` net_ctl_header_lookup(), v6.12).

use std::fs;
use std::path::{Path, PathBuf};

use super::NetworkError;

const ROOT: &str = "/proc/sys/net";

/// `None`: the kernel does not have it.
pub(super) fn read(name: &str) -> Option<String> {
    let text = fs::read_to_string(path(name)).ok()?;
    Some(text.trim().to_owned())
}

pub(super) fn write(name: &str, value: &str) -> Result<(), NetworkError> {
    let path = path(name);
    fs::write(&path, value).map_err(|source| NetworkError::Sysctl {
        path,
        value: value.to_owned(),
        source,
    })
}

/// Writes what the kernel may not have, as IPv6's where that is off.
pub(super) fn write_if_there(name: &str, value: &str) -> Result<(), NetworkError> {
    match read(name) {
        Some(present) if present != value => write(name, value),
        _ => Ok(()),
    }
}

/// For an interface of ours that has IPv6: its addresses are given, and nobody else can have them. To find that out
/// the kernel would take a second, in which neighbours are not answered.
pub(super) fn settle_ipv6(interface: &str) -> Result<(), NetworkError> {
    ["accept_ra", "accept_dad"]
        .iter()
        .try_for_each(|name| write_if_there(&format!("ipv6/conf/{interface}/{name}"), "0"))
}

fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}
