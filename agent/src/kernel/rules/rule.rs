//! What a workload's sockets may do: rates, and the addresses and ports they may use.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Rates and rules of one cgroup. All `None` and empty: no rule.
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
    /// Ports it may bind; empty: any.
    pub bind_allow: Vec<PortRange>,
    /// Ports it may not; goes before `bind_allow`.
    pub bind_deny: Vec<PortRange>,
}

/// `169.254.169.254/32`, with a port or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRange {
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

/// One rule of a cgroup's device list.
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
