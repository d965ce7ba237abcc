//! Rules that BPF programs hold for single cgroups: network rates, addresses, ports, devices.
//!
//! In: a cgroup v2 directory and the rules for it. Out: programs attached to that cgroup, and what
//! they dropped. Why there is a rule is for others to know.

mod applied;
mod attachment;
mod bpffs;
mod descriptors;
mod egress;
mod encode;
mod error;
mod hold;
mod ingress;
mod leftover;
mod list;
mod load;
mod part;
mod queue;
mod rate;
mod rule;
mod sockets;
mod support;
mod target;
mod value;
mod veth;

pub use applied::{Applied, EgressMethod, IngressMethod, Passage, Refused, RuleCounters};
pub use error::{HoldError, RulesError};
pub use hold::CgroupRules;
pub use leftover::{Leftover, leftovers};
pub use rule::{AddressRange, DeviceKind, DeviceRule, InvalidRule, PortRange, TrafficRules};
pub use support::{RuleSupport, rule_support};
