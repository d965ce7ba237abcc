//! What a workload's sockets may do: rates, and the addresses and ports they may use; and which
//! devices it may.

use std::net::IpAddr;

use plimsoll_abi::rules::RULES_MAX;
use serde::{Deserialize, Serialize};

/// Slowest rate that can be held: a full packet takes a second and a half.
const SLOWEST_BITS_PER_SECOND: u64 = 8_000;

/// Rates and rules of one cgroup. All `None` and empty: no rule.
///
/// Rates are of bytes on the wire from the IP header on, as `ip -s link` counts them less the
/// link's own headers. Loopback is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficRules {
    /// Bits a second that its sockets may send.
    pub egress_bits_per_second: Option<u64>,
    /// Bits a second that its sockets may receive.
    pub ingress_bits_per_second: Option<u64>,
    /// Bytes over the rate that may pass at once; `None`: chosen by the rate.
    pub burst_bytes: Option<u64>,
    /// Addresses it may connect and send to; empty: any.
    pub connect_allow: Vec<AddressRange>,
    /// Addresses it may not; goes before `connect_allow`.
    pub connect_deny: Vec<AddressRange>,
    /// Ports it may bind; empty: any. Port 0, which asks for any free one, is always allowed.
    pub bind_allow: Vec<PortRange>,
    /// Ports it may not; goes before `bind_allow`.
    pub bind_deny: Vec<PortRange>,
}

/// `169.254.169.254/32`, with a port or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRange {
    /// IPv4 given as `::ffff:a.b.c.d` is IPv4.
    pub address: IpAddr,
    pub prefix_length: u8,
    /// `None`: any port.
    pub port: Option<u16>,
}

/// From `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

/// One rule of a cgroup's device list. For each kind of access the last rule that matches decides;
/// where none does, it is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    pub allow: bool,
    pub kind: DeviceKind,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Some of `r`, `w` and `m` (mknod).
    pub access: String,
}

/// Kind of device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    All,
    Block,
    Char,
}

/// A rule that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    #[error("a rate of {0} bit/s is too slow to be held: {SLOWEST_BITS_PER_SECOND} bit/s at least")]
    TooSlow(u64),
    #[error("{address}/{prefix_length}: the prefix is longer than the address")]
    Prefix { address: IpAddr, prefix_length: u8 },
    #[error("ports {first}-{last}: the last comes before the first")]
    Ports { first: u16, last: u16 },
    #[error("{count} {what}: {RULES_MAX} at the most")]
    TooMany { what: &'static str, count: usize },
    #[error("device access `{0}` is not some of `r`, `w` and `m`")]
    Access(String),
}

impl TrafficRules {
    /// Finds the first rule that means nothing.
    pub fn check(&self) -> Result<(), InvalidRule> {
        let rates = [self.egress_bits_per_second, self.ingress_bits_per_second];
        for rate in rates.into_iter().flatten() {
            if rate < SLOWEST_BITS_PER_SECOND {
                return Err(InvalidRule::TooSlow(rate));
            }
        }
        for range in self.connect_deny.iter().chain(&self.connect_allow) {
            let longest = if range.address.is_ipv4() { 32 } else { 128 };
            if range.prefix_length > longest {
                return Err(InvalidRule::Prefix {
                    address: range.address,
                    prefix_length: range.prefix_length,
                });
            }
        }
        for PortRange { first, last } in self.bind_deny.iter().chain(&self.bind_allow).copied() {
            if last < first {
                return Err(InvalidRule::Ports { first, last });
            }
        }
        bounded(
            "connect rules",
            self.connect_deny.len() + self.connect_allow.len(),
        )?;
        bounded("bind rules", self.bind_deny.len() + self.bind_allow.len())
    }
}

impl DeviceRule {
    /// Finds the first rule of a list that means nothing.
    pub fn check(rules: &[Self]) -> Result<(), InvalidRule> {
        for rule in rules {
            let access = &rule.access;
            if access.is_empty() || access.chars().any(|letter| !"rwm".contains(letter)) {
                return Err(InvalidRule::Access(access.clone()));
            }
        }
        bounded("device rules", rules.len())
    }
}

fn bounded(what: &'static str, count: usize) -> Result<(), InvalidRule> {
    if count > RULES_MAX {
        return Err(InvalidRule::TooMany { what, count });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_named() {
        let slow = TrafficRules {
            ingress_bits_per_second: Some(7_999),
            ..TrafficRules::default()
        };
        assert_eq!(slow.check(), Err(InvalidRule::TooSlow(7_999)));
        let long = AddressRange {
            address: "10.0.0.0".parse().expect("an address"),
            prefix_length: 33,
            port: None,
        };
        let long = TrafficRules {
            connect_deny: vec![long],
            ..TrafficRules::default()
        };
        assert!(matches!(long.check(), Err(InvalidRule::Prefix { .. })));
        let port = PortRange { first: 2, last: 1 };
        let reversed = TrafficRules {
            bind_allow: vec![port],
            ..TrafficRules::default()
        };
        assert!(matches!(reversed.check(), Err(InvalidRule::Ports { .. })));
        let many = TrafficRules {
            bind_allow: vec![PortRange { first: 1, last: 2 }; RULES_MAX],
            bind_deny: vec![PortRange { first: 1, last: 2 }],
            ..TrafficRules::default()
        };
        assert!(matches!(many.check(), Err(InvalidRule::TooMany { .. })));
        assert_eq!(TrafficRules::default().check(), Ok(()));
    }

    #[test]
    fn access_is_some_of_the_kernels_letters() {
        let with = |access: &str| DeviceRule {
            allow: false,
            kind: DeviceKind::All,
            major: None,
            minor: None,
            access: access.to_owned(),
        };
        assert_eq!(DeviceRule::check(&[with("rwm"), with("w")]), Ok(()));
        for wrong in ["", "rx", "R"] {
            let named = Err(InvalidRule::Access(wrong.to_owned()));
            assert_eq!(DeviceRule::check(&[with("r"), with(wrong)]), named);
        }
    }
}
