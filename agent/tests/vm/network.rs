//! Network per cgroup: datagrams of a known size, each counted to the byte.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::agent::{Agent, running};
use crate::cgroups::{Cgroup, has_v2};
use crate::guest::{outbox, poll, skip};

const DATAGRAMS: u64 = 50;
const PAYLOAD: u64 = 1000;
/// IPv4 and UDP headers; the probe counts from the IP header on.
const HEADERS: u64 = 28;

/// Makes a socket that belongs to the cgroup: the kernel takes its maker's.
fn socket_in(cgroup: &Cgroup, address: &str) -> UdpSocket {
    cgroup.enter(std::process::id());
    let socket = UdpSocket::bind(address).unwrap();
    Cgroup::make("/").enter(std::process::id());
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

fn transfer(from: &UdpSocket, to: &UdpSocket) {
    let target = to.local_addr().unwrap();
    let mut buffer = [0; 2048];
    for _ in 0..DATAGRAMS {
        from.send_to(&[7; PAYLOAD as usize], target).unwrap();
        assert_eq!(to.recv(&mut buffer).unwrap() as u64, PAYLOAD);
    }
}

fn interface(agent: &Agent, cgroup: &str, name: &str) -> Option<Value> {
    let workload = agent.workload(cgroup)?;
    let interfaces = workload["network"]["interfaces"].as_array()?;
    interfaces
        .iter()
        .find(|interface| interface["interface"] == name)
        .cloned()
}

/// Waits for the whole transfer, then holds both directions to the byte.
fn assert_counted(agent: &Agent, cgroup: &str, name: &str, direction: &str) {
    let other = if direction == "transmit" {
        "receive"
    } else {
        "transmit"
    };
    let found = poll("the whole transfer", || {
        let found = interface(agent, cgroup, name)?;
        let packets = found[format!("{direction}_packets")].as_u64()?;
        (packets >= DATAGRAMS).then_some(found)
    });
    assert_eq!(found[format!("{direction}_packets")], DATAGRAMS, "{found}");
    assert_eq!(
        found[format!("{direction}_bytes")],
        DATAGRAMS * (PAYLOAD + HEADERS),
        "{found}"
    );
    assert_eq!(found[format!("{other}_packets")], 0, "{found}");
}

fn can_count(test: &str) -> bool {
    if outbox(test).is_none() {
        return false;
    }
    if !has_v2() {
        skip(
            test,
            "no cgroup2 mount: nothing to attach the network probes to",
        );
    }
    has_v2()
}

#[test]
fn loopback_is_counted_to_the_byte_for_both_ends() {
    if !can_count("loopback_is_counted_to_the_byte_for_both_ends") {
        return;
    }
    let agent = running();
    let (sending, receiving) = (Cgroup::make("/sending"), Cgroup::make("/receiving"));
    let from = socket_in(&sending, "127.0.0.1:0");
    let to = socket_in(&receiving, "127.0.0.1:0");
    transfer(&from, &to);
    assert_counted(&agent, "/sending", "lo", "transmit");
    assert_counted(&agent, "/receiving", "lo", "receive");
    drop((from, to));
    sending.remove();
    receiving.remove();
}

#[test]
fn a_veth_into_another_namespace_is_counted_by_its_name() {
    if !can_count("a_veth_into_another_namespace_is_counted_by_its_name") {
        return;
    }
    let agent = running();
    let (inside, outside) = (Cgroup::make("/inside"), Cgroup::make("/outside"));
    // An interface has a name where a process of the workload sees it: else it keeps its number.
    let holder = inside.spawn("unshare", &["-n", "sleep", "60"]);
    let net = format!("/proc/{}/ns/net", holder.id());
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    poll("the namespace", || {
        (std::fs::read_link(&net).ok()? != own).then_some(())
    });
    ip(&format!(
        "link add out0 type veth peer name in0 netns {}",
        holder.id()
    ));
    ip("addr add 10.9.0.1/24 dev out0");
    ip("link set out0 up");
    let target = holder.id().to_string();
    for command in [
        // The kernel's own multicast reports are of the cgroup that made the namespace.
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
        "ip addr add 10.9.0.2/24 dev in0",
        "ip link set in0 up",
    ] {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &target, "-n", "sh", "-c", command]);
        assert!(enter.status().unwrap().success(), "{command}");
    }
    let neighbour = outside.spawn("sleep", &["60"]);
    let from = socket_in(&outside, "10.9.0.1:0");
    let to = {
        inside.enter(std::process::id());
        let thread = std::thread::spawn(move || {
            setns(std::fs::File::open(net).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            // An address is usable only once both ends are up.
            poll("the address", || UdpSocket::bind("10.9.0.2:0").ok())
        });
        let socket = thread.join().unwrap();
        Cgroup::make("/").enter(std::process::id());
        socket
    };
    to.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    transfer(&from, &to);
    assert_counted(&agent, "/outside", "out0", "transmit");
    assert_counted(&agent, "/inside", "in0", "receive");
    drop((from, to, holder, neighbour));
    inside.remove();
    outside.remove();
}

fn ip(command: &str) {
    let status = Command::new("ip").args(command.split(' ')).status();
    assert!(status.unwrap().success(), "ip {command}");
}
