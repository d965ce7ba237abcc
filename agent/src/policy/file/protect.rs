//! `[protect]`.

use super::key::{Key, key};
use super::node::Node;
use super::problems::Problems;
use super::selector::label_terms;
use super::word::{path_pattern, pattern, text, whole};
use crate::policy::set::{Protect, ProtectPattern};

const OWN: &str = "self";
const OWN_ANCESTORS: &str = "ancestors-of-self";

pub(super) const KEYS: &[Key] = &[
    key(
        "never",
        "`[\"/build/**\", \"postgresql.service\", \"self\"]`",
        "`[]`",
        "What no policy acts on, besides what the agent never touches whoever asks: cgroup paths and \
         names of units, containers and machines, `*` allowed; `self` is the agent's own cgroup, \
         `ancestors-of-self` those above it.",
    ),
    key(
        "labels",
        "`{ \"plimsoll.protect\" = \"true\" }`",
        "`{}`",
        "Workloads with any of these labels are not acted on either. The value may be a pattern or a \
         list.",
    ),
    key(
        "max_actions_per_minute",
        "1 to 10000",
        "`60`",
        "What the rules of all policies may do to the host in a minute.",
    ),
    key(
        "max_kills_per_hour",
        "0 to 10000",
        "`3`",
        "How many kills among them in an hour; 0: none.",
    ),
];

pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Protect {
    let mut protect = Protect::default();
    let Some(table) = node.table(KEYS, problems) else {
        return protect;
    };
    if let Some(never) = table.get("never") {
        let patterns = never.list("a list of cgroup paths and names", problems);
        let patterns = patterns.unwrap_or_default();
        let patterns = patterns.iter().filter_map(|node| entry(node, problems));
        protect.never = patterns.collect();
    }
    if let Some(labels) = table.get("labels") {
        protect.labels = label_terms(&labels, problems);
    }
    if let Some(actions) = table.get("max_actions_per_minute")
        && let Some(actions) = whole(&actions, (1, 10_000), problems)
    {
        protect.max_actions_per_minute = actions;
    }
    if let Some(kills) = table.get("max_kills_per_hour")
        && let Some(kills) = whole(&kills, (0, 10_000), problems)
    {
        protect.max_kills_per_hour = kills;
    }
    protect
}

fn entry(node: &Node<'_>, problems: &mut Problems) -> Option<ProtectPattern> {
    let expected = "a cgroup path, a name, `self` or `ancestors-of-self`";
    match text(node, expected, problems)? {
        OWN => Some(ProtectPattern::Own),
        OWN_ANCESTORS => Some(ProtectPattern::OwnAncestors),
        path if path.starts_with('/') => path_pattern(node, problems).map(ProtectPattern::Cgroup),
        _ => pattern(node, problems).map(ProtectPattern::Name),
    }
}
