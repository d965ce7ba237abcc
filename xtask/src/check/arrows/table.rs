//! The arrows: which rooms each room may import. `abi` is the crate `plimsoll-abi`.
//!
//! Data flows `abi → kernel → identity → ledger → policy → enforce → metrics`; each may import what
//! is before it.
//! `cgroup` and `config` are leaves that any may import. Nobody imports `app`, the wiring.

/// Where to look when the check fails.
pub(super) const WHERE: &str =
    "see docs/architecture.md, and xtask/src/check/arrows/table.rs for a new arrow";

const ARROWS: &[(&str, &[&str])] = &[
    ("cgroup", &[]),
    ("config", &[]),
    ("netlink", &[]),
    ("kernel", &["abi", "netlink", "cgroup", "config"]),
    ("identity", &["abi", "kernel", "cgroup", "config"]),
    ("ledger", &["abi", "kernel", "identity", "cgroup", "config"]),
    (
        "metrics",
        &[
            "abi", "kernel", "identity", "ledger", "policy", "enforce", "cgroup", "config",
        ],
    ),
    (
        "policy",
        &["kernel", "identity", "ledger", "cgroup", "config"],
    ),
    (
        "enforce",
        &["kernel", "identity", "ledger", "policy", "cgroup", "config"],
    ),
    // Serves snapshots of the ledger, in which are workloads and readings; hands orders on.
    (
        "api",
        &[
            "ledger", "identity", "policy", "enforce", "engine", "launch", "cgroup", "config",
        ],
    ),
    // One workload's life; `engine` decides which, and where from.
    ("launch", &["cgroup", "config"]),
    ("engine", &["launch", "netlink", "cgroup", "config"]),
    // Asks the api; the rest are the types of its answers. `oci` is a runtime without an agent.
    (
        "cli",
        &[
            "api", "ledger", "identity", "policy", "enforce", "launch", "cgroup", "config",
        ],
    ),
    (
        "app",
        &[
            "abi", "kernel", "identity", "ledger", "metrics", "policy", "enforce", "launch",
            "engine", "api", "cgroup", "config",
        ],
    ),
];

/// Rooms that `room` may import; `None`: the table does not know it.
pub(super) fn allowed(room: &str) -> Option<&'static [&'static str]> {
    ARROWS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, allowed)| *allowed)
}
