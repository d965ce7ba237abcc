//! Rules that BPF programs hold for single cgroups: network rates, addresses, ports, devices.
//!
//! In: a cgroup v2 directory and the rules for it. Out: programs attached to that cgroup, and what
//! they dropped. Why there is a rule is for others to know.

mod rule;

pub use rule::{AddressRange, DeviceKind, DeviceRule, PortRange, TrafficRules};
