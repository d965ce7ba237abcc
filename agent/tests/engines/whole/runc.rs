//! A container of runc alone. On v1 its memory cgroup is nested under the caller's, the others are not.

use serde_json::json;

use super::readings::{BUSY, Watched};
use crate::agent::{Agent, Config};
use crate::host::CgroupParents;
use crate::kernel::Cgroup;
use crate::runc::Runc;
use crate::{blocking_turn, skip};

#[test]
fn runc_cpu_and_memory_are_the_kernels() {
    let _turn = blocking_turn();
    let runc = match Runc::start() {
        Ok(runc) => runc,
        Err(reason) => return skip("runc_cpu_and_memory_are_the_kernels", &reason),
    };
    let agent = Agent::start(&Config::default());
    let id = "7b1f0c93d5e84a62b0c4f7195d3e6a8802fd41c7936be05a1d7c88e2f45a9b60";
    let path = format!("/plimsoll-test-busy/{id}");
    let _parents = CgroupParents::watch(&["plimsoll-test-busy"]);
    let container = runc.run("busy", &path, &BUSY, |spec| {
        spec["root"]["readonly"] = json!(false);
        spec["linux"]["resources"]["cpu"] = json!({"quota": 20_000, "period": 100_000});
        spec["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
    });
    let watched = Watched {
        agent: &agent,
        label: ("id", &path),
        kernel: Cgroup::of(&container.pid()),
    };
    watched.cpu_keeps_up();
    assert_eq!(
        agent.fresh().ids_ending(id).len(),
        1,
        "more than one workload"
    );
    watched.interval_is_the_kernels(|stop| {
        container.command(if stop { "pause" } else { "resume" });
    });
}
