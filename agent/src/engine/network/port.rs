//! Published ports: what is asked for, and what was given.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use bollard::models::{PortBinding, PortMap};
use serde::{Deserialize, Serialize};

use super::NetworkError;

/// What ports are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The default.
    Tcp,
    /// Datagrams.
    Udp,
    /// Where the host's kernel has it, the port is reserved too.
    Sctp,
}

/// A port of a container's that is to be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Through which of the host's addresses; `None`: all.
    pub host_ip: Option<IpAddr>,
    /// One of these; `0..=0`: one that the kernel chooses.
    pub host_ports: RangeInclusive<u16>,
    /// The container's.
    pub container_port: u16,
    /// Of both.
    pub protocol: Protocol,
}

/// A port that is published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Published {
    /// Unspecified: every address of the host's in that family.
    pub host_ip: IpAddr,
    /// The host's.
    pub host_port: u16,
    /// The container's.
    pub container_port: u16,
    /// Of both.
    pub protocol: Protocol,
}

impl Publish {
    /// Docker's `-p`: `[ip:][host]:container[/protocol]`, where both ports may be ranges; several when the
    /// container's is one.
    pub fn parse(text: &str) -> Result<Vec<Self>, NetworkError> {
        let refuse = |why| NetworkError::PortSyntax(text.to_owned(), why);
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = protocol.parse().map_err(refuse)?;
        let (outside, inside) = match ports.rsplit_once(':') {
            Some((outside, inside)) => (Some(outside), inside),
            None => (None, ports),
        };
        let inside = range(inside).map_err(refuse)?;
        if *inside.start() == 0 {
            return Err(refuse("a container's port is not 0"));
        }
        let (host_ip, outside) = match outside.map(|outside| outside.rsplit_once(':')) {
            None => (None, None),
            Some(None) => (None, outside),
            Some(Some((ip, port))) => (address(ip).map_err(refuse)?, Some(port)),
        };
        let outside = match outside {
            None | Some("") => 0..=0,
            Some(ports) => range(ports).map_err(refuse)?,
        };
        let one = |container_port, host_ports| Self {
            host_ip,
            host_ports,
            container_port,
            protocol,
        };
        if inside.len() == 1 || outside == (0..=0) {
            return Ok(inside.map(|port| one(port, outside.clone())).collect());
        }
        if inside.len() != outside.len() {
            return Err(refuse("the ranges differ in length"));
        }
        let pairs = inside.zip(outside);
        Ok(pairs
            .map(|(inside, outside)| one(inside, outside..=outside))
            .collect())
    }

    /// Those of `HostConfig.PortBindings`, in a stable order.
    pub fn from_map(map: &PortMap) -> Result<Vec<Self>, NetworkError> {
        let mut all = Vec::new();
        let sorted: BTreeMap<_, _> = map.iter().collect();
        for (port, bindings) in sorted {
            for binding in bindings.iter().flatten() {
                let ip = binding.host_ip.as_deref().unwrap_or_default();
                let ip = if ip.contains(':') {
                    format!("[{ip}]")
                } else {
                    ip.to_owned()
                };
                let host = binding.host_port.as_deref().unwrap_or_default();
                all.extend(Self::parse(&format!("{ip}:{host}:{port}"))?);
            }
        }
        Ok(all)
    }
}

impl Published {
    /// As `NetworkSettings.Ports` has them.
    pub fn to_map(published: &[Self]) -> PortMap {
        let mut map = PortMap::new();
        for one in published {
            let port = format!("{}/{}", one.container_port, one.protocol);
            let bindings = map.entry(port).or_default().get_or_insert_default();
            bindings.push(PortBinding {
                host_ip: Some(one.host_ip.to_string()),
                host_port: Some(one.host_port.to_string()),
            });
        }
        map
    }
}

impl FromStr for Protocol {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err("the protocol is tcp, udp or sctp"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// `None`: all addresses. IPv6 stands in brackets.
fn address(text: &str) -> Result<Option<IpAddr>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if bare.is_none() && text.contains(':') {
        return Err("an IPv6 address stands in brackets");
    }
    let parsed = bare.unwrap_or(text).parse();
    parsed
        .map(Some)
        .map_err(|_| "the host's address is no IP address")
}

fn range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let port = |text: &str| {
        text.parse()
            .map_err(|_| "a port is a number from 1 to 65535")
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last || (first == 0 && last != 0) {
        return Err("the range is empty or begins with 0");
    }
    Ok(first..=last)
}

#[cfg(test)]
#[path = "port_tests.rs"]
mod tests;
