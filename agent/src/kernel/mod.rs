//! The BPF programs at run time: load, attach, health, maps, rings.
//!
//! In: the running kernel's BTF, the compiled object. Out: [`KernelEvent`]s, map readings, task
//! samples, the state of every probe. Must not know what a container is.

mod event;
mod layout;
mod load;
mod maps;
mod netns;
mod object;
mod probe;
mod rings;
mod rules;
mod tasks;
mod tracefs;

pub use event::{CgroupEvent, CgroupOperation, KernelEvent, NamespaceCall, NamespaceEvent, comm};
pub use layout::{KernelLayout, LayoutError};
pub use load::{Kernel, LoadError, LoadOptions};
pub use maps::{CgroupIo, CgroupNetwork, MapReadError, Maps};
pub use netns::interface_names;
pub use probe::{Group, Health, Hook, Needs, PROBES, Probe, ProbeReport};
pub use rings::{Ring, RingCounters, Rings};
pub use rules::{
    AddressRange, Applied, CgroupRules, DeviceKind, DeviceRule, EgressMethod, HoldError,
    IngressMethod, InvalidRule, Leftover, Passage, PortRange, Refused, RuleCounters, RuleSupport,
    RulesError, TrafficRules, leftovers, rule_support,
};
pub use tasks::TaskPass;
