//! A container that a policy never leaves in peace: something is held, decided, done, refused, and
//! written by somebody else.

use std::time::Duration;

use crate::cgroup::{Cgroup, path_of};
use crate::poll;

/// Of the container, in names.
pub(crate) const ROLE: &str = "held";

/// As in the policy.
const LIMIT_BYTES: u64 = 1 << 30;
/// How long the agent may take to set the limit.
const SET: Duration = Duration::from_secs(30);

/// A limit; a rule that stops it as soon as it does something, and lets it go on; and one that would
/// kill it for a few kilobytes, which is refused.
pub(crate) fn policy() -> String {
    format!(
        r#"version = 1
mode = "enforce"
[protect]
max_actions_per_minute = 10000
[[policy]]
name = "held"
match = {{ cgroup = "{}" }}
on_conflict = "alert"
[policy.limits]
"memory.max" = "1GiB"
[[policy.rule]]
name = "busy"
any = [{{ metric = "cpu.usage", above = "0.05 cores", window = "200ms" }}]
clear = {{ for = "50ms" }}
cooldown = "50ms"
then = [{{ freeze = {{ max = "300ms" }} }}]
[[policy.rule]]
name = "small"
any = [{{ metric = "memory.usage", above = "4KiB" }}]
then = [{{ kill = {{ scope = "cgroup", signal = "KILL" }} }}]
"#,
        path_of(ROLE)
    )
}

/// Writes what the policy holds, once it is held.
pub(crate) fn interfere(cgroup: &Cgroup) -> Result<(), String> {
    poll::until(SET, || match cgroup.memory_limit() {
        Some(LIMIT_BYTES) => Ok(()),
        other => Err(format!("the policy's limit is not set: {other:?}")),
    })?;
    cgroup.limit_memory(2 * LIMIT_BYTES);
    Ok(())
}
