//! podman of the distribution: crun, which gives its containers a cgroup inside their scope.

use super::engine::PODMAN;
use super::{container, unit};

#[test]
fn container_is_told_from_start_to_end() {
    let Some(agent) = unit("container_is_told_from_start_to_end") else {
        return;
    };
    container::live_and_die(&agent, &PODMAN, "back");
}
