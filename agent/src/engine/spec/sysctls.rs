//! Kernel settings of a container: those that its namespaces have their own of.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::HostConfig;

use super::SpecError;
use super::error::refuse;
use super::mode::{Modes, Share};

/// One's own in an IPC namespace; and all below `fs.mqueue.`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
/// Ports below 1024 and ping need no capability inside, as in Docker since 20.10.
const PORTS: (&str, &str) = ("net.ipv4.ip_unprivileged_port_start", "0");
const PING: (&str, &str) = ("net.ipv4.ping_group_range", "0 2147483647");

/// Docker's own and those asked for.
pub(super) fn of(host: &HostConfig, modes: &Modes) -> Result<HashMap<String, String>, SpecError> {
    let mut sysctls = HashMap::new();
    if modes.network == Share::Own {
        // The range is of the host's groups, of which a user namespace has but a few.
        let with_ping = (modes.user == Share::Host).then_some(PING);
        for (key, value) in [Some(PORTS), with_ping].into_iter().flatten() {
            if Path::new("/proc/sys").join(key.replace('.', "/")).exists() {
                sysctls.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    for (key, value) in host.sysctls.iter().flatten() {
        let key = normal(key);
        check(&key, modes)?;
        sysctls.insert(key, value.clone());
    }
    Ok(sysctls)
}

/// With dots between its parts; a slash first turns the two around, as sysctl(8) has it.
fn normal(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key.as_bytes().get(at) == Some(&b'/') => {
            let swap = |letter| match letter {
                '/' => '.',
                '.' => '/',
                other => other,
            };
            key.chars().map(swap).collect()
        }
        _ => key.to_owned(),
    }
}

fn check(key: &str, modes: &Modes) -> Result<(), SpecError> {
    let is_safe = !key.is_empty()
        && key
            .split(['.', '/'])
            .all(|part| !part.is_empty() && part != "..");
    if !is_safe {
        return refuse(format!("invalid sysctl: {key:?}"));
    }
    if IPC.contains(&key) || key.starts_with("fs.mqueue.") {
        return match modes.ipc {
            Share::Own | Share::Other => Ok(()),
            Share::Host => refuse(format!(
                "sysctl {key:?} is not allowed in the hosts ipc namespace"
            )),
        };
    }
    if key.starts_with("net.") {
        return match modes.network {
            Share::Own | Share::Other => Ok(()),
            Share::Host => refuse(format!(
                "sysctl {key:?} not allowed in host network namespace"
            )),
        };
    }
    match (key, modes.uts) {
        ("kernel.domainname", Share::Own | Share::Other) => Ok(()),
        ("kernel.hostname", _) => refuse(format!(
            "sysctl {key:?} is not allowed as it conflicts with the OCI \"hostname\" field"
        )),
        _ => refuse(format!(
            "sysctl {key:?} is not in a separate kernel namespace"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sysctls(host: HostConfig, key: &str) -> Result<HashMap<String, String>, String> {
        let host = HostConfig {
            sysctls: Some(HashMap::from([(key.to_owned(), "1".to_owned())])),
            ..host
        };
        let modes = Modes::of(&host).unwrap();
        of(&host, &modes).map_err(|error| error.to_string())
    }

    #[test]
    fn those_of_ones_own_namespaces_are_set() {
        let given = sysctls(HostConfig::default(), "net.ipv4.ip_forward").unwrap();
        assert_eq!(given["net.ipv4.ip_forward"], "1");
        assert_eq!(given["net.ipv4.ip_unprivileged_port_start"], "0");
        assert_eq!(given["net.ipv4.ping_group_range"], "0 2147483647");
        let given = sysctls(HostConfig::default(), "net/ipv4/conf/eth0.1/forwarding").unwrap();
        assert_eq!(given["net.ipv4.conf.eth0/1.forwarding"], "1");
        assert!(sysctls(HostConfig::default(), "fs.mqueue.msg_max").is_ok());
        let given = sysctls(HostConfig::default(), PORTS.0).unwrap();
        assert_eq!(given[PORTS.0], "1", "asked for");
    }

    #[test]
    fn the_hosts_are_not() {
        let of = |field: fn(&mut HostConfig) -> &mut Option<String>, key| {
            let mut host = HostConfig::default();
            *field(&mut host) = Some("host".to_owned());
            sysctls(host, key).unwrap_err()
        };
        let network = of(|host| &mut host.network_mode, "net.ipv4.ip_forward");
        assert!(
            network.contains("not allowed in host network namespace"),
            "{network}"
        );
        assert!(of(|host| &mut host.ipc_mode, "kernel.sem").contains("hosts ipc namespace"));
        for key in [
            "kernel.panic",
            "vm.swappiness",
            "kernel.shm",
            "kernel.hostname",
            ".",
            "net.../x",
        ] {
            assert!(sysctls(HostConfig::default(), key).is_err(), "{key}");
        }
    }
}
