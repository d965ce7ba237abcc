//! `io.max`.

use std::path::PathBuf;

use super::key::{Key, key};
use super::node::Node;
use super::problems::Problems;
use super::word::{cap, text};
use crate::cgroup::{IoCaps, Knob, Setting};
use crate::policy::device::parse_number;
use crate::policy::order::{Amount, Limit, Wanted};
use crate::policy::units::{ByteRate, OperationRate};

pub(super) const KEYS: &[Key] = &[
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

/// One disk of `io.max`.
pub(super) fn caps(node: &Node<'_>, problems: &mut Problems) -> Option<Limit> {
    let table = node.table(KEYS, problems)?;
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
