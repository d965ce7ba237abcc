//! docker of the distribution, with systemd's cgroup driver.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpListener;

use super::engine::DOCKER;
use super::{container, run, unit};
use crate::guest::poll;

const SLEEP: [&str; 2] = ["sleep", "600"];
/// Has more than a container of 32 MiB gets, beside a shell that lives on.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 600";
const SENT: u64 = 3 << 20;

#[test]
fn container_is_told_from_start_to_end() {
    let Some(agent) = unit("container_is_told_from_start_to_end") else {
        return;
    };
    container::live_and_die(&agent, &DOCKER, "web");
}

#[test]
fn oom_kills_are_the_kernels() {
    let Some(agent) = unit("oom_kills_are_the_kernels") else {
        return;
    };
    let limits = ["--network", "none", "--name", "hog", "--memory", "32m"];
    let container = DOCKER.run(&limits, &["sh", "-c", HOG]);
    let (path, cgroup) = (container.path(), container.cgroup());
    poll("the kill", || {
        (cgroup.field("memory.events", "oom_kill")? == 1).then_some(())
    });
    let id = format!("id=\"{path}\"");
    poll("the kill in the metrics", || {
        let kills = agent.metric("container_oom_events_total", &[&id])?;
        (kills == 1.0).then_some(())
    });
    // By its path: the kill may come before the name.
    let events = agent.events(&["event=oom_kill", &format!("workload={path}")]);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["comm"], "dd");
}

/// On docker's bridge, from the IP header on: the namespace's own count of IPv4.
#[test]
fn traffic_is_that_of_the_containers_interface() {
    let Some(agent) = unit("traffic_is_that_of_the_containers_interface") else {
        return;
    };
    // `3: docker0    inet 172.17.0.1/16 brd …`
    let bridge = run("ip", &["-4", "-o", "address", "show", "docker0"]);
    let gateway = bridge.split_whitespace().nth(3).unwrap();
    let gateway = gateway.split('/').next().unwrap();
    let listener = TcpListener::bind((gateway, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received.len() as u64
    });
    let send = format!("dd if=/dev/zero bs=1M count=3 | nc {gateway} {port}; sleep 600");
    let container = DOCKER.run(&["--name", "sender"], &["sh", "-c", &send]);
    assert_eq!(receiver.join().unwrap(), SENT);

    let path = container.path();
    let octets = format!("/proc/{}/net/netstat", container.pid);
    let oracle = || {
        let text = fs::read_to_string(&octets).unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt: "));
        let (keys, values) = (lines.next().unwrap(), lines.next().unwrap());
        let pairs = keys.split(' ').zip(values.split(' '));
        let pairs: BTreeMap<_, _> = pairs.collect();
        ["InOctets", "OutOctets"].map(|key| pairs[key].parse::<u64>().unwrap())
    };
    poll("the traffic of eth0", || {
        let before = oracle();
        let workload = agent.workload(&path)?;
        let interfaces = workload["network"]["interfaces"].as_array()?;
        let eth0 = interfaces.iter().find(|one| one["interface"] == "eth0")?;
        let ours = ["receive_bytes", "transmit_bytes"].map(|key| eth0[key].as_u64().unwrap());
        (ours == before && ours == oracle() && ours[1] > SENT).then_some(())
    });
}

#[test]
fn containers_are_known_to_the_next_agent() {
    let Some(agent) = unit("containers_are_known_to_the_next_agent") else {
        return;
    };
    let options = ["--network", "none", "--name", "stays"];
    let container = DOCKER.run(&options, &SLEEP);
    let path = container.path();
    let named = || {
        let workload = agent.workload(&path)?;
        (workload["identity"]["name"] == "stays").then_some(workload)
    };
    let before = poll("its name", named);
    super::systemctl(&["restart", "plimsoll.service"]);
    super::ready();
    let after = poll("its name after the restart", named);
    assert_eq!(before["identity"], after["identity"]);
    assert_eq!(
        before["reading"]["limits"], after["reading"]["limits"],
        "read anew"
    );
}
