//! What the programs of the second object, which hold rules on single cgroups, share with the agent.
//!
//! Each limited cgroup has maps of its own, made with the programs that are attached to it: what
//! holds for the cgroup holds for those below it, and goes when it is removed.

use core::mem::size_of;

use crate::layout::{Offset, offset};

/// Key of maps that have one entry.
pub const ONLY: u32 = 0;

/// Bytes of the layer-3 header and TCP's, with timestamps, of a flow that has sent nothing yet.
pub const HEADERS_V4: u32 = 52;
pub const HEADERS_V6: u32 = 72;

/// Shortest and longest time for which flows' shares are set.
pub const EPOCH_MIN_NS: u64 = 100_000_000;
pub const EPOCH_MAX_NS: u64 = 1_000_000_000;

/// Names of the maps, by which the agent finds them again: 15 bytes at the most.
pub mod map {
    /// [`super::Egress`], one entry.
    pub const EGRESS: &str = "PLIMSOLL_EGRESS";
    /// [`super::Flow`], by socket.
    pub const FLOWS: &str = "PLIMSOLL_FLOWS";
    /// [`super::Pass`], one entry.
    pub const PASS: &str = "PLIMSOLL_PASS";
    /// cgroup ids whose sockets a pass takes up.
    pub const TREE: &str = "PLIMSOLL_TREE";
    /// [`super::Ingress`], one entry.
    pub const INGRESS: &str = "PLIMSOLL_INGRES";
    /// [`super::Addresses`], one entry.
    pub const ADDRESSES: &str = "PLIMSOLL_ADDRS";
    /// [`super::Ports`], one entry.
    pub const PORTS: &str = "PLIMSOLL_PORTS";
    /// [`super::Devices`], one entry.
    pub const DEVICES: &str = "PLIMSOLL_DEVICE";
    /// [`super::Counts`], one entry per CPU; every program of the object has it.
    pub const COUNTS: &str = "PLIMSOLL_COUNTS";
}

/// cgroups below a limited one whose existing sockets can be found.
pub const TREE_ENTRIES: u32 = 16_384;

/// A rate as it was asked for, for the agent to read back.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub bits_per_second: u64,
    /// [`NO_BURST`]: chosen by the rate.
    pub burst_bytes: u64,
}
const _: () = assert!(size_of::<Asked>() == 16);

/// No burst was asked for.
pub const NO_BURST: u64 = u64::MAX;

/// State of an egress rate. The agent writes the first four members, the programs the rest.
///
/// Bytes are those on the wire from the IP header on, the headers of each segment counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    pub asked: Asked,
    /// Bytes a second; 0: no limit, and flows get back what they had.
    pub rate: u64,
    /// Time's worth of unused rate that what is not TCP may catch up with.
    pub credit_ns: u64,
    /// Time's worth by which TCP may be ahead of the rate before its packets are dropped.
    pub debt_ns: u64,
    /// Number of the epoch, for which shares are set; its sums are at `epoch & 1`.
    pub epoch: u64,
    /// `CLOCK_MONOTONIC` at its beginning.
    pub epoch_began_ns: u64,
    /// Its length at least: it ends with the first packet after that.
    pub epoch_ns: u64,
    /// Bytes a second that each TCP flow may send in this epoch.
    pub level: u64,
    /// Greedy flows for which `level` was set; it follows as they come and go.
    pub flows: u64,
    /// Smallest share that was handed out in this epoch; `u64::MAX`: none yet.
    pub lowest: u64,
    /// Bytes that a flow must have sent in the last epoch to be greedy: five eighths of its share.
    pub greedy_bytes: u64,
    /// `CLOCK_MONOTONIC` at which all that was sent would have been sent at the rate.
    pub due_ns: u64,
    /// The same for what is not TCP, at `other_rate`.
    pub other_due_ns: u64,
    /// Bytes a second for what is not TCP: what TCP leaves, half the rate at least.
    pub other_rate: u64,
    /// Bytes of TCP flows whose pacing no callback sets: the agent must walk them. Wraps.
    pub unattended_bytes: u64,
    pub sums: [Sums; 2],
}
const _: () = assert!(size_of::<Egress>() == 208);

/// Sums of one epoch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// TCP flows that use their share, and are still there.
    pub greedy: u64,
    /// Greedy flows that were closed.
    pub closed: u64,
    /// Bytes of TCP flows that are known to use less than their share.
    pub modest_bytes: u64,
    pub tcp_bytes: u64,
    pub other_bytes: u64,
}
const _: () = assert!(size_of::<Sums>() == 40);

/// What a flow makes of its share.
pub mod demand {
    /// Uses all of it.
    pub const GREEDY: u32 = 0;
    /// Uses less.
    pub const MODEST: u32 = 1;
    /// Has begun to send, or begun again, less than a whole epoch ago. What it sends at once says
    /// nothing of what it will use, and is no reason to leave the others less.
    pub const UNKNOWN: u32 = 2;
}

/// One TCP socket of a cgroup with an egress rate.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Epoch that `bytes` and `payload` are of; 0: has not sent yet.
    pub epoch: u64,
    /// Epoch in which it began to send, after its last pause.
    pub since: u64,
    /// Bytes on the wire and bytes of data in the epoch.
    pub bytes: u64,
    pub payload: u64,
    /// Bytes in the epoch over which a modest flow turns greedy.
    pub greedy_above: u64,
    /// Of each byte on the wire, data, in 1/65536: the kernel paces data.
    pub payload_share: u32,
    /// Pacing rate that was set, bytes a second; 0: none.
    pub paced: u32,
    /// Pacing rate before that, `u32::MAX`: unlimited; 0: not known yet.
    pub original: u32,
    /// Segments under way to which it is held; 0: not held.
    pub segments: u32,
    /// One of [`demand`].
    pub demand: u32,
    /// 1: callbacks set its pacing; 0: only a walk of the agent's does.
    pub attended: u32,
    /// 1: sends over loopback, which is not limited.
    pub loopback: u32,
    /// Always 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Flow>() == 72);

/// Tasks of a walk over sockets.
pub mod pass {
    /// Count the sockets of the cgroups in [`super::map::TREE`] that have something under way.
    pub const COUNT: u32 = 0;
    /// Set the share of every socket of these cgroups.
    pub const SET: u32 = 1;
    /// Give back what each socket had that was ever set.
    pub const GIVE_BACK: u32 = 2;
    /// Free every socket of these cgroups: what it had is not known, for programs of another
    /// version set it.
    pub const FREE: u32 = 3;
}

/// What a walk over all TCP sockets does.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// One of [`pass`].
    pub task: u32,
    /// Sockets that the pass set; written by the program.
    pub sockets: u32,
    /// Of those, sockets that no callback attends to.
    pub unattended: u32,
    /// Sockets that refused.
    pub failed: u32,
}
const _: () = assert!(size_of::<Pass>() == 16);

/// State of an ingress rate; the agent writes all but `due_ns`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    pub asked: Asked,
    /// Bytes a second from the IP header on, over which packets are dropped; 0: only counts.
    pub rate: u64,
    /// Time's worth of unused rate that may be caught up with.
    pub credit_ns: u64,
    /// `CLOCK_MONOTONIC` at which all that came would have come at the rate.
    pub due_ns: u64,
    /// Interface whose queue holds the rate in place of this program; 0: none.
    pub queue_ifindex: u32,
    /// Always 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Ingress>() == 48);

/// Rules of each list at the most.
pub const RULES_MAX: usize = 64;

/// Which addresses may be connected and sent to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Rules in use, those that deny first.
    pub count: u32,
    /// 1: what no rule matches is denied.
    pub deny_others: u32,
    pub rules: [AddressRule; RULES_MAX],
}
const _: () = assert!(size_of::<Addresses>() == 8 + RULES_MAX * 40);

/// One range of addresses, IPv4 as `::ffff:a.b.c.d`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressRule {
    /// In network order, bits outside of the mask 0.
    pub address: [u32; 4],
    pub mask: [u32; 4],
    /// Port in host order; [`ANY_PORT`].
    pub port: u32,
    /// 1: deny, 0: allow.
    pub deny: u32,
}
const _: () = assert!(size_of::<AddressRule>() == 40);

/// No port is meant.
pub const ANY_PORT: u32 = u32::MAX;

/// Which ports may be bound.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Rules in use, those that deny first.
    pub count: u32,
    /// 1: what no rule matches is denied, but for port 0.
    pub deny_others: u32,
    pub rules: [PortRule; RULES_MAX],
}
const _: () = assert!(size_of::<Ports>() == 8 + RULES_MAX * 8);

/// One range of ports, both ends included.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortRule {
    pub first: u16,
    pub last: u16,
    /// 1: deny, 0: allow.
    pub deny: u32,
}
const _: () = assert!(size_of::<PortRule>() == 8);

/// Which devices may be used: for each kind of access the last rule that matches decides, and where
/// none does it is allowed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Devices {
    /// Rules in use.
    pub count: u32,
    /// Always 0.
    pub reserved: u32,
    pub rules: [DeviceRule; RULES_MAX],
}
const _: () = assert!(size_of::<Devices>() == 8 + RULES_MAX * 20);

/// One rule for devices.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceRule {
    /// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`, or [`ANY`].
    pub kind: u32,
    /// [`ANY`]: all.
    pub major: u32,
    pub minor: u32,
    /// Sum of `BPF_DEVCG_ACC_*` bits.
    pub access: u32,
    /// 1: allow, 0: deny.
    pub allow: u32,
}
const _: () = assert!(size_of::<DeviceRule>() == 20);

/// Any device number or kind.
pub const ANY: u32 = u32::MAX;

/// What the programs let pass and what not, per CPU; wraps.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed_bytes: u64,
    pub passed_packets: u64,
    pub dropped_bytes: u64,
    pub dropped_packets: u64,
    /// Calls that got EPERM.
    pub denied: u64,
}
const _: () = assert!(size_of::<Counts>() == 40);

/// Offsets that the walk over sockets reads, beside those of [`crate::layout::OFFSETS`].
pub const OFFSETS: &[Offset] = &[
    offset("SOCK_STATE", "sock_common", &["skc_state"]),
    offset("TCP_PACKETS_OUT", "tcp_sock", &["packets_out"]),
    offset("SOCK_CGROUP_DATA", "sock", &["sk_cgrp_data"]),
    offset("CGROUP_DATA_CGROUP", "sock_cgroup_data", &["cgroup"]),
    offset("CGROUP_KN", "cgroup", &["kn"]),
    offset("KERNFS_NODE_ID", "kernfs_node", &["id"]),
];
