//! What Docker's answers say of what nobody has set: its models name every field, `bollard`'s leave those out.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::refusal::Refused;

/// Puts what `value` does not have there, from `unset`; so in its parts.
pub fn fill_unset(value: &mut Value, unset: Value) {
    let (Value::Object(fields), Value::Object(unset)) = (value, unset) else {
        return;
    };
    for (name, unset) in unset {
        match fields.get_mut(&name) {
            Some(part) => fill_unset(part, unset),
            None => drop(fields.insert(name, unset)),
        }
    }
}

/// An answer that is a list, each of it completed.
pub(super) fn each(
    answer: &impl Serialize,
    complete: fn(&mut Value),
) -> Result<Json<Value>, Refused> {
    let Json(mut all) = whole(answer, |_| ())?;
    all.as_array_mut().into_iter().flatten().for_each(complete);
    Ok(Json(all))
}

/// An answer, completed.
pub(super) fn whole(
    answer: &impl Serialize,
    complete: fn(&mut Value),
) -> Result<Json<Value>, Refused> {
    let value = serde_json::to_value(answer);
    let mut value = value
        .map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    complete(&mut value);
    Ok(Json(value))
}

/// `GET /containers/ID/json`
pub(super) fn complete_container(container: &mut Value) {
    fill_unset(container, unset_container());
    let Some(settings) = container.get_mut("NetworkSettings") else {
        return;
    };
    // From before there were several networks; of this one it is still said there.
    let bridge = settings.pointer("/Networks/bridge").cloned();
    if let (Some(Value::Object(bridge)), Some(settings)) = (bridge, settings.as_object_mut()) {
        for (name, value) in bridge {
            if let Some(field) = settings.get_mut(&name) {
                *field = value;
            }
        }
    }
    complete_endpoints(settings);
}

/// One of `GET /containers/json`
pub(super) fn complete_summary(container: &mut Value) {
    if let Some(settings) = container.get_mut("NetworkSettings") {
        complete_endpoints(settings);
    }
}

fn complete_endpoints(settings: &mut Value) {
    let networks = settings.get_mut("Networks").and_then(Value::as_object_mut);
    for endpoint in networks
        .into_iter()
        .flat_map(|networks| networks.values_mut())
    {
        fill_unset(endpoint, unset_endpoint());
    }
}

/// `GET /images/NAME/json`
pub(super) fn complete_image(image: &mut Value) {
    fill_unset(
        image,
        json!({
            "Parent": "",
            "Config": unset_config(),
            "Container": "",
            "ContainerConfig": unset_config(),
            "DockerVersion": "",
            // Go's first moment: none.
            "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        }),
    );
    complete_image_summary(image);
}

/// One of `GET /images/json`: of before 1.44, and the same since 1.10 of Docker.
pub(super) fn complete_image_summary(image: &mut Value) {
    let size = image.get("Size").cloned().unwrap_or_default();
    fill_unset(image, json!({"VirtualSize": size}));
}

/// `GET /networks/NAME`, and one of `GET /networks`
pub(super) fn complete_network(network: &mut Value) {
    // Docker's own networks have none; those that users make have an empty one.
    let name = network.get("Name").and_then(Value::as_str);
    let options = match name {
        Some("bridge" | "host" | "none") => Value::Null,
        _ => json!({}),
    };
    let unset = json!({"IPAM": {"Options": options}, "Containers": {}});
    fill_unset(network, unset);
}

/// `GET /volumes`
pub(super) fn complete_volumes(volumes: &mut Value) {
    fill_unset(volumes, json!({"Volumes": [], "Warnings": null}));
}

fn unset_container() -> Value {
    let mut settings = unset_address();
    fill_unset(
        &mut settings,
        json!({
            "Bridge": "",
            "HairpinMode": false,
            "LinkLocalIPv6Address": "",
            "LinkLocalIPv6PrefixLen": 0,
            "SandboxID": "",
            "SandboxKey": "",
            "SecondaryIPAddresses": null,
            "SecondaryIPv6Addresses": null,
        }),
    );
    json!({
        "ExecIDs": null,
        "GraphDriver": {"Data": {}, "Name": "overlay2"},
        "HostConfig": unset_host_config(),
        "Config": unset_config(),
        "NetworkSettings": settings,
    })
}

fn unset_host_config() -> Value {
    let mut host = unset_resources();
    fill_unset(
        &mut host,
        json!({
            "AutoRemove": false,
            "Binds": null,
            "CapAdd": null,
            "CapDrop": null,
            "Cgroup": "",
            "ConsoleSize": [0, 0],
            "ContainerIDFile": "",
            "Dns": [],
            "DnsOptions": [],
            "DnsSearch": [],
            "ExtraHosts": null,
            "GroupAdd": null,
            "Isolation": "",
            "Links": null,
            "MaskedPaths": null,
            "NetworkMode": "default",
            "PidMode": "",
            "PortBindings": {},
            "Privileged": false,
            "PublishAllPorts": false,
            "ReadonlyPaths": null,
            "ReadonlyRootfs": false,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "Runtime": "plimsoll",
            "SecurityOpt": null,
            "UTSMode": "",
            "UsernsMode": "",
            "VolumeDriver": "",
            "VolumesFrom": null,
        }),
    );
    host
}

fn unset_resources() -> Value {
    json!({
        "BlkioDeviceReadBps": [],
        "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteBps": [],
        "BlkioDeviceWriteIOps": [],
        "BlkioWeight": 0,
        "BlkioWeightDevice": [],
        "CpuCount": 0,
        "CpuPercent": 0,
        "CpuPeriod": 0,
        "CpuQuota": 0,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpuShares": 0,
        "CpusetCpus": "",
        "CpusetMems": "",
        "DeviceCgroupRules": null,
        "DeviceRequests": null,
        "Devices": [],
        "IOMaximumBandwidth": 0,
        "IOMaximumIOps": 0,
        "Memory": 0,
        "MemoryReservation": 0,
        "MemorySwap": 0,
        "MemorySwappiness": null,
        "NanoCpus": 0,
        "OomKillDisable": null,
        "OomScoreAdj": 0,
        "PidsLimit": null,
        "Ulimits": [],
    })
}

fn unset_config() -> Value {
    json!({
        "AttachStderr": false,
        "AttachStdin": false,
        "AttachStdout": false,
        "Cmd": null,
        "Domainname": "",
        "Entrypoint": null,
        "Env": null,
        "Hostname": "",
        "Image": "",
        "Labels": {},
        "OnBuild": null,
        "OpenStdin": false,
        "StdinOnce": false,
        "Tty": false,
        "User": "",
        "Volumes": null,
        "WorkingDir": "",
    })
}

fn unset_endpoint() -> Value {
    let mut endpoint = unset_address();
    fill_unset(
        &mut endpoint,
        json!({
            "Aliases": null,
            "DriverOpts": null,
            "IPAMConfig": null,
            "Links": null,
            "NetworkID": "",
        }),
    );
    endpoint
}

fn unset_address() -> Value {
    json!({
        "EndpointID": "",
        "Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "MacAddress": "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_stays_and_the_rest_is_there() {
        let mut container = json!({
            "Id": "1",
            "HostConfig": {"Memory": 64, "RestartPolicy": {"Name": "always"}},
            "NetworkSettings": {"Networks": {
                "bridge": {"IPAddress": "172.17.0.2", "NetworkID": "n"},
                "own": {"IPAddress": "172.18.0.2"},
            }},
        });
        complete_container(&mut container);
        for (path, value) in [
            ("/Id", json!("1")),
            ("/HostConfig/Memory", json!(64)),
            ("/HostConfig/Privileged", json!(false)),
            (
                "/HostConfig/RestartPolicy",
                json!({"Name": "always", "MaximumRetryCount": 0}),
            ),
            ("/Config/User", json!("")),
            ("/NetworkSettings/IPAddress", json!("172.17.0.2")),
            ("/NetworkSettings/NetworkID", Value::Null),
            (
                "/NetworkSettings/Networks/own/IPAddress",
                json!("172.18.0.2"),
            ),
            ("/NetworkSettings/Networks/own/Gateway", json!("")),
        ] {
            let found = container.pointer(path).unwrap_or(&Value::Null);
            assert_eq!(found, &value, "{path}");
        }
    }

    #[test]
    fn clients_may_index_what_nobody_has_set_in_lists_too() {
        let containers = json!([{"NetworkSettings": {"Networks": {"own": {}}}}]);
        let Json(all) = each(&containers, complete_summary).unwrap();
        let endpoint = all.pointer("/0/NetworkSettings/Networks/own").unwrap();
        for key in ["Aliases", "IPAMConfig", "Links", "DriverOpts"] {
            assert_eq!(endpoint.get(key), Some(&Value::Null), "{key}");
        }
        let networks = json!([{"Name": "bridge", "IPAM": {}}, {"Name": "own", "IPAM": {}}]);
        let Json(all) = each(&networks, complete_network).unwrap();
        assert_eq!(all.pointer("/0/IPAM/Options"), Some(&Value::Null));
        assert_eq!(all.pointer("/1/IPAM/Options"), Some(&json!({})));
    }
}
