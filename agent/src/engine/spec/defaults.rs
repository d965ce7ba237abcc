//! What holds where a configuration says nothing, as it is shown.

use bollard::models::{HostConfig, HostConfigCgroupnsModeEnum};

use super::mode::{Modes, Share};
use super::{mounts, paths};
use crate::cgroup::Layout;

/// Says it. What the clients of old send for nothing is nothing.
pub fn show_defaults(host: &mut HostConfig, layout: &Layout) {
    if let Ok(modes) = Modes::of(host) {
        host.cgroupns_mode = Some(match modes.cgroup(layout.mode()) {
            Share::Host => HostConfigCgroupnsModeEnum::HOST,
            Share::Own | Share::Other => HostConfigCgroupnsModeEnum::PRIVATE,
        });
    }
    if host.ipc_mode.as_deref().is_none_or(str::is_empty) {
        host.ipc_mode = Some("private".to_owned());
    }
    host.shm_size = Some(mounts::shm_bytes(host));
    let log = host.log_config.get_or_insert_default();
    if log.typ.as_deref().is_none_or(str::is_empty) {
        log.typ = Some("json-file".to_owned());
    }
    log.config.get_or_insert_default();
    host.memory_swappiness = host.memory_swappiness.filter(|&percent| percent != -1);
    host.pids_limit = host.pids_limit.filter(|&limit| limit != 0);
    if host.privileged != Some(true) {
        let (masked, read_only) = paths::of(host);
        host.masked_paths = Some(masked);
        host.readonly_paths = Some(read_only);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn shown(host: serde_json::Value) -> serde_json::Value {
        let mut host = serde_json::from_value(host).unwrap();
        show_defaults(&mut host, &Layout::from_hierarchies(Vec::new()));
        serde_json::to_value(host).unwrap()
    }

    #[test]
    fn what_an_old_client_sends_for_nothing_is_the_default() {
        let sent = json!({"IpcMode": "", "CgroupnsMode": "", "ShmSize": 0, "PidsLimit": 0,
            "MemorySwappiness": -1, "LogConfig": {"Type": "", "Config": {}}});
        assert_eq!(shown(sent), shown(json!({})));
    }

    #[test]
    fn what_is_said_stays() {
        let said = json!({"IpcMode": "host", "CgroupnsMode": "host", "ShmSize": 1, "PidsLimit": -1,
            "MemorySwappiness": 0, "LogConfig": {"Type": "none", "Config": {}},
            "MaskedPaths": ["/a"], "ReadonlyPaths": []});
        assert_eq!(shown(said.clone()), said);
    }

    #[test]
    fn of_a_privileged_one_nothing_is_hidden() {
        assert_eq!(shown(json!({"Privileged": true})).get("MaskedPaths"), None);
        let paths = shown(json!({}))["ReadonlyPaths"].clone();
        assert!(paths.as_array().unwrap().contains(&json!("/proc/sys")));
    }
}
