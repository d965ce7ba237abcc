//! Steps that cannot be let go: `reclaim`, `notify`, `signal`, `kill`, `restart`.

use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::key::{Key, key};
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{quantity, text, time, truth, word};
use crate::policy::order::{Once, Process};
use crate::policy::units::ByteSize;

const TIMEOUT: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) const NOTIFY_KEYS: &[Key] = &[
    key(
        "webhook",
        "`\"http://127.0.0.1:9000/hook\"`",
        "none",
        "Gets a POST with the decision and its evidence as JSON.",
    ),
    key(
        "command",
        "`[\"/usr/local/bin/page\", \"oncall\"]`",
        "none",
        "Program with its path, and arguments; the same JSON comes on its standard input.",
    ),
    key(
        "timeout",
        "`\"2s\"`, 100ms to 1m",
        "`\"5s\"`",
        "How long each may take.",
    ),
];

pub(super) const SIGNAL_KEYS: &[Key] = &[
    key(
        "send",
        "`\"HUP\"`",
        "",
        "The signal; not `KILL`, `STOP` or `CONT`.",
    ),
    key(
        "scope",
        "`\"main\"`, `\"largest\"`, `\"cgroup\"`",
        "`\"main\"`",
        "To its first process, to the one with most memory, or to all.",
    ),
];

pub(super) const KILL_KEYS: &[Key] = &[
    key(
        "scope",
        "`\"cgroup\"`, `\"largest\"`, `\"main\"`",
        "`\"cgroup\"`",
        "All of its processes, the one with most memory, or the first.",
    ),
    key("signal", "`\"TERM\"`", "`\"TERM\"`", "Is sent first."),
    key(
        "grace",
        "`\"5s\"`, up to 1m",
        "`\"10s\"`",
        "How long is waited for it to end by itself. None after `KILL`.",
    ),
    key(
        "escalate",
        "`\"KILL\"`, `\"none\"`",
        "`\"KILL\"`",
        "What is sent then to what is left.",
    ),
];

pub(super) fn reclaim(node: &Node<'_>, problems: &mut Problems) -> Option<Once> {
    let ByteSize(bytes) = quantity(node, problems)?;
    if bytes == 0 {
        problems.at(&node.path, "reclaims nothing");
        return None;
    }
    Some(Once::Reclaim { bytes })
}

pub(super) fn restart(node: &Node<'_>, problems: &mut Problems) -> Option<Once> {
    match truth(node, problems)? {
        true => Some(Once::Restart),
        false => {
            problems.at(&node.path, "does nothing; leave the step out");
            None
        }
    }
}

pub(super) fn notify(node: &Node<'_>, problems: &mut Problems) -> Option<Once> {
    let table = node.table(NOTIFY_KEYS, problems)?;
    let webhook = table.get("webhook").and_then(|node| {
        let expected = "an address such as `http://127.0.0.1:9000/hook`";
        let address = text(&node, expected, problems)?;
        let host = address.strip_prefix("http://");
        let host = host.or_else(|| address.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            node.wrong(expected, problems);
            return None;
        }
        Some(address.to_owned())
    });
    let command = table
        .get("command")
        .and_then(|node| command(&node, problems));
    let timeout = table.get("timeout");
    let timeout = timeout.and_then(|node| time(&node, (SHORTEST, MINUTE), problems));
    Some(Once::Notify {
        webhook,
        command,
        timeout: timeout.unwrap_or(TIMEOUT),
    })
}

fn command(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let expected =
        "a list, the program's path first, such as `[\"/usr/local/bin/page\", \"oncall\"]`";
    let elements = node.list(expected, problems)?;
    let words: Option<Vec<String>> = elements
        .iter()
        .map(|node| {
            let word = node.as_str().map(str::to_owned);
            if word.is_none() {
                node.wrong("text", problems);
            }
            word
        })
        .collect();
    let words = words?;
    if words
        .first()
        .is_some_and(|program| program.starts_with('/'))
    {
        return Some(words);
    }
    problems.at(&node.path, format!("expected {expected}"));
    None
}

pub(super) fn signal(node: &Node<'_>, problems: &mut Problems) -> Option<Once> {
    let (send, scope) = if node.is_table() {
        let table = node.table(SIGNAL_KEYS, problems)?;
        let scope = scope(&table, problems).unwrap_or(Process::Main);
        (
            table.require("send", "write `send = \"HUP\"`", problems)?,
            scope,
        )
    } else {
        (node.clone(), Process::Main)
    };
    let signal = named(&send, problems)?;
    let instead = match signal {
        Signal::SIGKILL => Some("kills; write `kill = { signal = \"KILL\" }`"),
        Signal::SIGSTOP | Signal::SIGTSTP | Signal::SIGCONT => {
            Some("stops for no one knows how long; write `freeze = { max = \"10s\" }`")
        }
        _ => None,
    };
    if let Some(what) = instead {
        problems.at(&send.path, what);
        return None;
    }
    Some(Once::Kill {
        scope,
        signal: signal as i32,
        grace: Duration::ZERO,
        escalate: None,
    })
}

pub(super) fn kill(node: &Node<'_>, problems: &mut Problems) -> Option<Once> {
    let table = node.table(KILL_KEYS, problems)?;
    let scope = scope(&table, problems).unwrap_or(Process::Cgroup);
    let signal = match table.get("signal") {
        Some(node) => named(&node, problems),
        None => Some(Signal::SIGTERM),
    };
    if signal == Some(Signal::SIGKILL) {
        for key in ["grace", "escalate"] {
            if let Some(node) = table.get(key) {
                problems.at(node.path, "nothing comes after `KILL`; leave it out");
            }
        }
        return Some(Once::Kill {
            scope,
            signal: Signal::SIGKILL as i32,
            grace: Duration::ZERO,
            escalate: None,
        });
    }
    let grace = table.get("grace");
    let grace = grace.and_then(|node| time(&node, (Duration::ZERO, MINUTE), problems));
    let escalate = match table.get("escalate") {
        Some(node) if node.as_str() == Some("none") => None,
        Some(node) => Some(named(&node, problems)?),
        None => Some(Signal::SIGKILL),
    };
    Some(Once::Kill {
        scope,
        signal: signal? as i32,
        grace: grace.unwrap_or(GRACE),
        escalate: escalate.map(|signal| signal as i32),
    })
}

fn scope(table: &Table<'_>, problems: &mut Problems) -> Option<Process> {
    table.get("scope").and_then(|node| word(&node, problems))
}

/// `TERM` or `SIGTERM`.
fn named(node: &Node<'_>, problems: &mut Problems) -> Option<Signal> {
    let expected = "the name of a signal such as `TERM`";
    let text = text(node, expected, problems)?;
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let signal = Signal::from_str(&format!("SIG{name}"));
    if signal.is_err() {
        node.wrong(expected, problems);
    }
    signal.ok()
}
