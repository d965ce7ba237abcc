//! Network traffic, by interface.

use crate::identity::Kind;
use crate::ledger::{InterfaceTotals, NetdevTotals, Workload};
use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::samples::Samples;

const LOOPBACK_INTERFACE: &str = "lo";

pub(super) const GROUP: Group = Group {
    title: "Network",
    about: "Bytes and packets are those of the workload's own sockets, from the IP header on: also of a \
            container with the host's network and of a systemd unit, and never the node's. Where the \
            network probes are not attached, and for the host (`id=\"/\"`), they are those of the devices \
            in its network namespace. `lo` is not among them.",
    families: &[
        Family {
            name: "container_network_receive_bytes_total",
            unit: "bytes",
            help: "Bytes received.",
            source: Source::new(SOCKETS),
            absent: NO_TRAFFIC,
            emit: Emit::Workload(|_, workload, out| {
                traffic(workload, out, |of| of.receive_bytes, |of| of.receive_bytes);
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_receive_packets_total",
            help: "Packets received.",
            source: Source::new(SOCKETS),
            absent: NO_TRAFFIC,
            emit: Emit::Workload(|_, workload, out| {
                traffic(
                    workload,
                    out,
                    |of| of.receive_packets,
                    |of| of.receive_packets,
                );
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_receive_packets_dropped_total",
            help: "Received packets that the device dropped.",
            source: Source::new(DEVICES),
            absent: NO_DEVICE,
            emit: Emit::Workload(|_, workload, out| {
                devices(workload, out, |of| of.receive_dropped);
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_receive_errors_total",
            help: "Errors of the device while it received.",
            source: Source::new(DEVICES),
            absent: NO_DEVICE,
            emit: Emit::Workload(|_, workload, out| devices(workload, out, |of| of.receive_errors)),
            ..NETWORK
        },
        Family {
            name: "container_network_transmit_bytes_total",
            unit: "bytes",
            help: "Bytes sent.",
            source: Source::new(SOCKETS),
            absent: NO_TRAFFIC,
            emit: Emit::Workload(|_, workload, out| {
                traffic(
                    workload,
                    out,
                    |of| of.transmit_bytes,
                    |of| of.transmit_bytes,
                );
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_transmit_packets_total",
            help: "Packets sent.",
            source: Source::new(SOCKETS),
            absent: NO_TRAFFIC,
            emit: Emit::Workload(|_, workload, out| {
                traffic(
                    workload,
                    out,
                    |of| of.transmit_packets,
                    |of| of.transmit_packets,
                );
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_transmit_packets_dropped_total",
            help: "Packets to send that the device dropped.",
            source: Source::new(DEVICES),
            absent: NO_DEVICE,
            emit: Emit::Workload(|_, workload, out| {
                devices(workload, out, |of| of.transmit_dropped);
            }),
            ..NETWORK
        },
        Family {
            name: "container_network_transmit_errors_total",
            help: "Errors of the device while it sent.",
            source: Source::new(DEVICES),
            absent: NO_DEVICE,
            emit: Emit::Workload(|_, workload, out| {
                devices(workload, out, |of| of.transmit_errors);
            }),
            ..NETWORK
        },
    ],
};

pub(super) const LOOPBACK: Group = Group {
    title: "Loopback",
    about: "What a workload's sockets said to each other (or, with the host's network, to other \
            workloads) over `lo`.",
    families: &[
        Family {
            name: "plimsoll_container_network_loopback_receive_bytes_total",
            unit: "bytes",
            help: "Bytes received over lo.",
            emit: Emit::Workload(|_, workload, out| loopback(workload, out, |of| of.receive_bytes)),
            ..LO
        },
        Family {
            name: "plimsoll_container_network_loopback_receive_packets_total",
            help: "Packets received over lo.",
            emit: Emit::Workload(|_, workload, out| {
                loopback(workload, out, |of| of.receive_packets);
            }),
            ..LO
        },
        Family {
            name: "plimsoll_container_network_loopback_transmit_bytes_total",
            unit: "bytes",
            help: "Bytes sent over lo.",
            emit: Emit::Workload(|_, workload, out| {
                loopback(workload, out, |of| of.transmit_bytes);
            }),
            ..LO
        },
        Family {
            name: "plimsoll_container_network_loopback_transmit_packets_total",
            help: "Packets sent over lo.",
            emit: Emit::Workload(|_, workload, out| {
                loopback(workload, out, |of| of.transmit_packets);
            }),
            ..LO
        },
    ],
};

const SOCKETS: &str = "cgroup_skb programs at the cgroup v2 root (host: /proc/net/dev)";
const DEVICES: &str = "/proc/PID/net/dev";
const NO_TRAFFIC: &str = "no traffic over the interface yet";
const NO_DEVICE: &str = "the workload has the host's network namespace";

const NETWORK: Family = Family {
    kind: Counter,
    labels: &["interface"],
    ..Family::WORKLOAD
};

const LO: Family = Family {
    kind: Counter,
    source: Source::new("cgroup_skb programs at the cgroup v2 root"),
    absent: "no traffic over lo yet, or the network probes are not attached",
    ..Family::WORKLOAD
};

/// The host's sockets see only what ends in them: its devices also carry what it forwards.
fn traffic(
    workload: &Workload,
    out: &mut Samples<'_>,
    of_sockets: fn(&InterfaceTotals) -> u64,
    of_device: fn(&NetdevTotals) -> u64,
) {
    let interfaces = match workload.identity.kind {
        Kind::Host => None,
        Kind::Container
        | Kind::Sandbox
        | Kind::Pod
        | Kind::Unit
        | Kind::Slice
        | Kind::Machine
        | Kind::Cgroup => workload.network.interfaces.as_ref(),
    };
    let Some(interfaces) = interfaces else {
        return devices(workload, out, of_device);
    };
    let outside = |totals: &&InterfaceTotals| totals.interface != LOOPBACK_INTERFACE;
    for totals in interfaces.iter().filter(outside) {
        out.push_with(&[("interface", &totals.interface)], of_sockets(totals));
    }
}

fn devices(workload: &Workload, out: &mut Samples<'_>, value: fn(&NetdevTotals) -> u64) {
    let outside = |totals: &&NetdevTotals| totals.interface != LOOPBACK_INTERFACE;
    for totals in workload.network.netdev.iter().filter(outside) {
        out.push_with(&[("interface", &totals.interface)], value(totals));
    }
}

fn loopback(workload: &Workload, out: &mut Samples<'_>, value: fn(&InterfaceTotals) -> u64) {
    let interfaces = workload.network.interfaces.iter().flatten();
    let mut inside = interfaces.filter(|totals| totals.interface == LOOPBACK_INTERFACE);
    out.push_some(inside.next().map(value));
}
