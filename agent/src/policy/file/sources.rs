//! Limits that are tables: `io.max` and `net`.

use std::path::PathBuf;

use super::key::{Key, key};
use super::node::{Node, Problems, Table};
use super::word::{quantity, several, text};
use crate::cgroup::{IoCaps, Knob, Setting};
use crate::kernel::TrafficRules;
use crate::policy::device::parse_number;
use crate::policy::order::{Amount, Limit, Wanted};
use crate::policy::traffic::{parse_addresses, parse_ports};
use crate::policy::units::{BitRate, ByteRate, ByteSize, OperationRate};

pub(super) const IO_KEYS: &[Key] = &[
    key(
        "path",
        "`\"/var/lib/data\"`",
        "",
        "Absolute; the whole disk under it is meant, found through overlay, partition, device mapper \
         and loop.",
    ),
    key(
        "device",
        "`\"8:0\"`",
        "",
        "In place of `path`: the number of a whole disk, as `lsblk` has it.",
    ),
    key(
        "rbps",
        "`\"50MiB\"`, `\"max\"`",
        "`\"max\"`",
        "Bytes read in a second.",
    ),
    key(
        "wbps",
        "`\"50MiB\"`, `\"max\"`",
        "`\"max\"`",
        "Bytes written in a second.",
    ),
    key(
        "riops",
        "`500`, `\"max\"`",
        "`\"max\"`",
        "Reads in a second.",
    ),
    key(
        "wiops",
        "`500`, `\"max\"`",
        "`\"max\"`",
        "Writes in a second.",
    ),
];

pub(super) const NET_KEYS: &[Key] = &[
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

/// One disk of `io.max`.
pub(super) fn caps(node: &Node<'_>, problems: &mut Problems) -> Option<Limit> {
    let table = node.table(IO_KEYS, problems)?;
    let caps = IoCaps {
        rbps: cap(&table, "rbps", problems, |ByteRate(rate)| rate),
        wbps: cap(&table, "wbps", problems, |ByteRate(rate)| rate),
        riops: cap(&table, "riops", problems, |OperationRate(rate)| rate),
        wiops: cap(&table, "wiops", problems, |OperationRate(rate)| rate),
    };
    let named = ["rbps", "wbps", "riops", "wiops"];
    if !named.iter().any(|name| table.get(name).is_some()) {
        let what = "caps nothing; write at least one of `rbps`, `wbps`, `riops`, `wiops`";
        problems.at(&node.path, what);
    }
    match (table.get("path"), table.get("device")) {
        (Some(path), None) => {
            let text = text(&path, "an absolute path", problems)?;
            if !text.starts_with('/') {
                path.wrong("an absolute path", problems);
                return None;
            }
            let path = PathBuf::from(text);
            Some(Limit::Io { path, caps })
        }
        (None, Some(device)) => {
            let expected = "the number of a disk such as `\"8:0\"`, or a `path` in its place";
            let number = text(&device, expected, problems)?;
            let Some(number) = parse_number(number) else {
                device.wrong(expected, problems);
                return None;
            };
            Some(Limit::Cgroup(Wanted {
                knob: Knob::IoMax(number),
                amount: Amount::Exactly(Setting::IoMax(number, caps)),
                ceiling: None,
                floor: None,
            }))
        }
        (None, None) | (Some(_), Some(_)) => {
            problems.at(&node.path, "write either `path` or `device`");
            None
        }
    }
}

fn cap<T>(
    table: &Table<'_>,
    name: &str,
    problems: &mut Problems,
    number: fn(T) -> u64,
) -> Option<u64>
where
    T: std::str::FromStr<Err = crate::policy::units::UnitError>,
{
    let node = table
        .get(name)
        .filter(|node| node.as_str() != Some("max"))?;
    let rate = number(quantity(&node, problems)?);
    if rate == 0 {
        problems.at(
            &node.path,
            "0 would stop it; write at least 1, or freeze it for a time",
        );
        return None;
    }
    Some(rate)
}

/// `net`.
pub(super) fn traffic(node: &Node<'_>, problems: &mut Problems) -> Option<TrafficRules> {
    let table = node.table(NET_KEYS, problems)?;
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
