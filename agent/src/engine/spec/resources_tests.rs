//! Limits in the specification's form.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn of(body: serde_json::Value) -> serde_json::Value {
    let update: ContainerUpdateBody = serde_json::from_value(body).unwrap();
    let merged = host_of(&update);
    serde_json::to_value(super::update(&update, &merged).unwrap()).unwrap()
}

#[test]
fn nothing_asked_is_nothing_set() {
    assert_eq!(of(json!({})), json!({}));
    assert_eq!(
        of(json!({"Memory": 0, "PidsLimit": 0, "CpuShares": 0, "BlkioWeight": 0})),
        json!({})
    );
}

#[test]
fn limits_have_the_specifications_names() {
    let given = of(
        json!({"Memory": 67_108_864, "MemorySwap": -1, "MemoryReservation": 8_388_608,
        "NanoCpus": 500_000_000, "CpuShares": 512, "CpusetCpus": "0", "PidsLimit": 7,
        "MemorySwappiness": -1, "OomKillDisable": false}),
    );
    assert_eq!(
        given,
        json!({
            "memory": {"limit": 67_108_864, "swap": -1, "reservation": 8_388_608},
            "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0"},
            "pids": {"limit": 7}
        })
    );
    assert_eq!(
        of(json!({"CpuQuota": -1, "PidsLimit": -5, "MemorySwappiness": 0})),
        json!({"cpu": {"quota": -1}, "pids": {"limit": -1}, "memory": {"swappiness": 0}})
    );
}

#[test]
fn swap_goes_with_the_memory_that_it_is_counted_with() {
    let update = |change, merged| {
        let (change, merged) = (
            serde_json::from_value(change).unwrap(),
            serde_json::from_value(merged).unwrap(),
        );
        serde_json::to_value(super::update(&change, &merged).unwrap()).unwrap()
    };
    let merged = json!({"Memory": 67_108_864, "MemorySwap": 134_217_728});
    let both = json!({"memory": {"limit": 67_108_864, "swap": 134_217_728}});
    for given in [
        json!({"Memory": 67_108_864}),
        json!({"MemorySwap": 134_217_728}),
    ] {
        assert_eq!(update(given, merged.clone()), both);
    }
    let other = json!({"CpuShares": 512});
    let shares = json!({"cpu": {"shares": 512}});
    assert_eq!(update(other, merged), shares);
}

#[test]
fn all_that_limits_is_in_an_update() {
    let all = json!({"CpuShares": 2, "Memory": 1, "BlkioWeight": 10, "CpuPeriod": 3, "CpuQuota": 4,
        "CpuRealtimePeriod": 5, "CpuRealtimeRuntime": 6, "CpusetCpus": "0", "CpusetMems": "0",
        "MemoryReservation": 7, "MemorySwap": 8, "MemorySwappiness": 9, "NanoCpus": 10,
        "OomKillDisable": true, "PidsLimit": 11,
        "BlkioWeightDevice": [{"Path": "a", "Weight": 10}],
        "BlkioDeviceReadBps": [{"Path": "a", "Rate": 1}],
        "BlkioDeviceWriteBps": [{"Path": "b", "Rate": 1}],
        "BlkioDeviceReadIOps": [{"Path": "c", "Rate": 1}],
        "BlkioDeviceWriteIOps": [{"Path": "d", "Rate": 1}]});
    let update: ContainerUpdateBody = serde_json::from_value(all.clone()).unwrap();
    let host: HostConfig = serde_json::from_value(all).unwrap();
    assert_eq!(host_of(&update), host);
}

#[test]
fn sizes_have_dockers_units() {
    for (text, bytes) in [
        ("1", 1),
        ("64k", 65_536),
        ("512M", 536_870_912),
        ("2gib", 2_147_483_648),
    ] {
        assert_eq!(bytes_of(text).unwrap(), bytes, "{text}");
    }
    for wrong in ["", "0", "m", "-1", "5x", "1.5g", "99999999999t"] {
        assert!(bytes_of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn memory_high_needs_the_controller_on_v2() {
    let hierarchy = |id, controllers: &[Controller]| crate::cgroup::Hierarchy {
        id: crate::cgroup::HierarchyId(id),
        mount: format!("/nowhere/{id}").into(),
        root: "/".to_owned(),
        controllers: controllers.to_vec(),
        name: None,
    };
    let unified = Layout::from_hierarchies(vec![hierarchy(0, &[Controller::Memory])]);
    assert_eq!(
        memory_high("64k", &unified).unwrap()["memory.high"],
        "65536"
    );
    let hybrid =
        Layout::from_hierarchies(vec![hierarchy(0, &[]), hierarchy(1, &[Controller::Memory])]);
    let error = memory_high("64k", &hybrid).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--memory-high is not supported"),
        "{error}"
    );
    let bare = Layout::from_hierarchies(vec![hierarchy(0, &[])]);
    assert!(memory_high("64k", &bare).is_err());
    assert!(!can_limit_swap(&hybrid));
}
