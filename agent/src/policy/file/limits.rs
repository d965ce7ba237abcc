//! `[policy.limits]`, and the same vocabulary in a rule's `set`.

use super::io;
use super::key::{Key, key};
use super::net;
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{listed, several, text};
use crate::policy::amount::{knob_named, parse_amount, parse_change};
use crate::policy::device::parse_device_rule;
use crate::policy::order::{Limit, Wanted};

pub(super) const KEYS: &[Key] = &[
    key(
        "cpu.max",
        "`\"1.5 cores\"`, `\"150%\"`, `\"75ms/50ms\"`, `\"max\"`",
        "",
        "CPU time. As quota and period: both times. A share is of one core. Below 0.01 cores the period \
         becomes 1s, for the kernel takes no quota below 1ms.",
    ),
    key(
        "cpu.max.burst",
        "`\"50ms\"`",
        "",
        "Unused quota that may be saved up for later; at most the quota of one period.",
    ),
    key(
        "cpu.weight",
        "1 to 10000",
        "",
        "Share of CPU time where there is too little of it; 100 is the usual one.",
    ),
    key(
        "cpu.idle",
        "`true`, `false`",
        "",
        "Runs only when nothing else wants to. Locks `cpu.weight`.",
    ),
    key("cpuset.cpus", "`\"0-3,7\"`", "", "CPUs that it may run on."),
    key(
        "cpuset.mems",
        "`\"0\"`",
        "",
        "NUMA nodes that it may take memory of.",
    ),
    key(
        "memory.max",
        "`\"512MiB\"`, `\"max\"`",
        "",
        "Most memory. What would be above it is reclaimed, and when that is not enough, the OOM killer \
         comes.",
    ),
    key(
        "memory.high",
        "`\"80% of memory.max\"`, `\"400MiB\"`",
        "",
        "Above it, the workload is slowed down and reclaimed from; it is not killed. A share is of what \
         the policy itself sets, or else of what is in force. Only on v2.",
    ),
    key(
        "memory.low",
        "`\"128MiB\"`",
        "",
        "Memory that is not reclaimed while there is some elsewhere. Only on v2.",
    ),
    key(
        "memory.min",
        "`\"64MiB\"`",
        "",
        "Memory that is never reclaimed. Only on v2.",
    ),
    key("memory.swap.max", "`\"0B\"`, `\"max\"`", "", "Most swap."),
    key(
        "memory.oom.group",
        "`true`, `false`",
        "",
        "The OOM killer takes all of its processes, or one. Only on v2.",
    ),
    key(
        "pids.max",
        "`256`, `\"max\"`",
        "",
        "Most tasks: processes and threads.",
    ),
    key(
        "io.max",
        "`[{ path = \"/var/lib/data\", wbps = \"50MiB\" }]`",
        "",
        "Rates of disks, below.",
    ),
    key(
        "io.weight",
        "1 to 10000",
        "",
        "Share of a disk's time where there is too little of it; 100 is the usual one. Needs a disk \
         scheduler that knows weights.",
    ),
    key(
        "net",
        "`{ egress = \"100Mbit\" }`",
        "",
        "Rates, addresses and ports of its sockets, below.",
    ),
    key(
        "devices",
        "`[\"deny a *:* rwm\", \"allow c 1:3 rwm\"]`",
        "",
        "Devices that it may use: kind (`a`ll, `b`lock, `c`har), numbers, and `r`ead, `w`rite, `m`knod. \
         A later rule goes before an earlier one.",
    ),
];

/// Where the values stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In `[policy.limits]`: values.
    Limit,
    /// In a rule's `set`: values and changes of them.
    Set,
}

pub(super) fn read(node: &Node<'_>, form: Form, problems: &mut Problems) -> Vec<Limit> {
    let Some(table) = node.table(KEYS, problems) else {
        return Vec::new();
    };
    let given = table.given();
    if given.is_empty() && node.entries().is_some_and(|entries| entries.is_empty()) {
        problems.at(&node.path, "names nothing to hold");
    }
    let read = given
        .into_iter()
        .flat_map(|name| one(&table, name, form, problems));
    read.collect()
}

fn one(table: &Table<'_>, name: &str, form: Form, problems: &mut Problems) -> Vec<Limit> {
    let Some(node) = table.get(name) else {
        return Vec::new();
    };
    match (knob_named(name), name) {
        (Some(knob), _) => {
            let Some(text) = node.scalar() else {
                node.wrong("one value", problems);
                return Vec::new();
            };
            let amount = match form {
                Form::Limit => parse_amount(knob, &text),
                Form::Set => parse_change(knob, &text),
            };
            match amount {
                Ok(amount) => vec![Limit::Cgroup(Wanted {
                    knob,
                    amount,
                    ceiling: None,
                    floor: None,
                })],
                Err(error) => {
                    problems.at(&node.path, error.to_string());
                    Vec::new()
                }
            }
        }
        (None, "io.max") => several(&node, problems, io::caps),
        (None, "net") => net::traffic(&node, problems)
            .into_iter()
            .map(Limit::Traffic)
            .collect(),
        (None, _) => devices(&node, problems).into_iter().collect(),
    }
}

fn devices(node: &Node<'_>, problems: &mut Problems) -> Option<Limit> {
    let example = "a list of rules such as `\"allow c 1:3 rwm\"`";
    let elements = node.list(example, problems)?;
    if elements.is_empty() {
        problems.at(
            &node.path,
            "an empty list says nothing; name at least one rule",
        );
        return None;
    }
    let rule = |node: &Node<'_>| {
        let text = text(node, "a rule such as `\"allow c 1:3 rwm\"`", problems)?;
        match parse_device_rule(text) {
            Ok(rule) => Some(rule),
            Err(error) => {
                problems.at(&node.path, error.to_string());
                None
            }
        }
    };
    Some(Limit::Devices(elements.iter().filter_map(rule).collect()))
}

/// `` `cpu.max`, … ``: the knobs that a number can be multiplied with.
pub(super) fn changeable() -> String {
    let names = KEYS.iter().map(|key| key.name);
    let names =
        names.filter(|name| knob_named(name).is_some_and(crate::policy::amount::can_change));
    listed(&names.collect::<Vec<_>>())
}
