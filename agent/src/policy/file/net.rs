//! `net`.

use super::key::{Key, key};
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{cap, quantity, several};
use crate::kernel::TrafficRules;
use crate::policy::traffic::{parse_addresses, parse_ports};
use crate::policy::units::{BitRate, ByteSize};

pub(super) const KEYS: &[Key] = &[
    key(
        "egress",
        "`\"100Mbit\"`",
        "none",
        "Rate of what its sockets send.",
    ),
    key(
        "ingress",
        "`\"200Mbit\"`",
        "none",
        "Rate of what its sockets receive.",
    ),
    key(
        "burst",
        "`\"256KiB\"`",
        "by the rate",
        "What may pass above the rate at once. Too small a burst makes TCP slower than the rate by far.",
    ),
    key(
        "connect_allow",
        "`[\"10.0.0.0/8\", \"10.1.2.3:443\"]`",
        "any",
        "Addresses that it may connect and send to, with a port or without; no others.",
    ),
    key(
        "connect_deny",
        "`[\"169.254.169.254\", \"*:25\"]`",
        "none",
        "Addresses that it may not; goes before `connect_allow`.",
    ),
    key(
        "bind_allow",
        "`[8080, \"9000-9100\"]`",
        "any",
        "Ports that it may bind; no others.",
    ),
    key(
        "bind_deny",
        "`[22]`",
        "none",
        "Ports that it may not; goes before `bind_allow`.",
    ),
];

/// `net`.
pub(super) fn traffic(node: &Node<'_>, problems: &mut Problems) -> Option<TrafficRules> {
    let table = node.table(KEYS, problems)?;
    if table.given().is_empty() {
        problems.at(&node.path, "names no rate and no rule");
        return None;
    }
    let burst = table
        .get("burst")
        .and_then(|node| quantity(&node, problems));
    Some(TrafficRules {
        egress_bits_per_second: cap(&table, "egress", problems, |BitRate(rate)| rate),
        ingress_bits_per_second: cap(&table, "ingress", problems, |BitRate(rate)| rate),
        burst_bytes: burst.map(|ByteSize(bytes)| bytes),
        connect_allow: rules(&table, "connect_allow", problems, parse_addresses).concat(),
        connect_deny: rules(&table, "connect_deny", problems, parse_addresses).concat(),
        bind_allow: rules(&table, "bind_allow", problems, parse_ports),
        bind_deny: rules(&table, "bind_deny", problems, parse_ports),
    })
}

fn rules<T, E: std::fmt::Display>(
    table: &Table<'_>,
    name: &str,
    problems: &mut Problems,
    parse: fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let Some(node) = table.get(name) else {
        return Vec::new();
    };
    several(&node, problems, |node, problems| {
        let Some(text) = node.scalar() else {
            node.wrong("text", problems);
            return None;
        };
        match parse(&text) {
            Ok(rule) => Some(rule),
            Err(error) => {
                problems.at(&node.path, error.to_string());
                None
            }
        }
    })
}
