//! Traffic per cgroup and interface, against what a client and a server inside counted.
#![allow(clippy::unwrap_used)]

mod peers;

use crate::support::{Agent, Metrics, OwnCgroup, Settings, V2, installed, poll};
use peers::{Ends, Protocol, echo};

const ROUNDS: u64 = 100;
const DATAGRAM: u64 = 1_000;
/// What the server answers each datagram with.
const ANSWER: u64 = 8;
const UDP_HEADER: u64 = 8;

/// Bytes and packets, received and sent, over one interface; 0 without a series.
fn traffic(metrics: &Metrics, id: &str, interface: &str) -> [u64; 4] {
    [
        "receive_bytes",
        "receive_packets",
        "transmit_bytes",
        "transmit_packets",
    ]
    .map(|what| {
        let name = format!("container_network_{what}_total");
        let value = metrics.find(&name, &[("id", id), ("interface", interface)]);
        value.unwrap_or(0.0) as u64
    })
}

/// The same over `lo`.
fn loopback(metrics: &Metrics, id: &str) -> [u64; 4] {
    [
        "receive_bytes",
        "receive_packets",
        "transmit_bytes",
        "transmit_packets",
    ]
    .map(|what| {
        let name = format!("plimsoll_container_network_loopback_{what}_total");
        metrics.of(id, &name).unwrap_or(0.0) as u64
    })
}

fn minus(after: [u64; 4], before: [u64; 4]) -> [u64; 4] {
    std::array::from_fn(|n| after[n] - before[n])
}

#[test]
fn datagrams_between_namespaces_are_exact() {
    let test = "datagrams_between_namespaces_are_exact";
    let Some(mut ends) = Ends::make(test) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    for (address, ip_header) in [("10.77.0.2", 20), ("fd77::2", 40)] {
        // The kernel's own packets are true too, but no client counts them.
        let (first, last) = poll("an exchange without the kernel's own packets", || {
            let before = ends.chatter();
            let first = agent.fresh_scrape();
            ends.exchange(Protocol::Udp, address, ROUNDS, DATAGRAM);
            let last = agent.fresh_scrape();
            (ends.chatter() == before).then_some((first, last))
        });
        let out = ROUNDS * (ip_header + UDP_HEADER + DATAGRAM);
        let back = ROUNDS * (ip_header + UDP_HEADER + ANSWER);
        let grown = |id: &str, interface| {
            minus(
                traffic(&last, id, interface),
                traffic(&first, id, interface),
            )
        };
        let (client, server) = (ends.client.path(), ends.server.path());
        assert_eq!(
            grown(&client, "inside0"),
            [back, ROUNDS, out, ROUNDS],
            "{address}"
        );
        assert_eq!(
            grown(&server, "inside1"),
            [out, ROUNDS, back, ROUNDS],
            "{address}"
        );
        assert_eq!(loopback(&last, &client), [0; 4], "{address}");
    }
    agent.scrape().assert_nothing_lost();
}

#[test]
fn streams_between_namespaces_are_within_header_arithmetic() {
    let test = "streams_between_namespaces_are_within_header_arithmetic";
    let Some(mut ends) = Ends::make(test) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    for (address, ip_header) in [("10.77.0.2", 20), ("fd77::2", 40)] {
        let first = agent.fresh_scrape();
        ends.exchange(Protocol::Tcp, address, ROUNDS, DATAGRAM * 50);
        let last = agent.fresh_scrape();
        let (out, back) = (ROUNDS * DATAGRAM * 50, ROUNDS * ANSWER);
        let (client, server) = (ends.client.path(), ends.server.path());
        for (id, interface, payloads) in [
            (&client, "inside0", [back, out]),
            (&server, "inside1", [out, back]),
        ] {
            let grown = minus(
                traffic(&last, id, interface),
                traffic(&first, id, interface),
            );
            eprintln!("{test}: {address} {interface}: {grown:?}, payload {payloads:?}");
            let directions = [(grown[0], grown[1]), (grown[2], grown[3])];
            for ((bytes, packets), payload) in directions.into_iter().zip(payloads) {
                // TCP's header is 20 to 60 bytes; a packet sent as a part of a larger one shares it.
                assert!(bytes >= payload + ip_header + 20, "{bytes} of {payload}");
                assert!(
                    bytes <= payload + packets * (ip_header + 60),
                    "{bytes} of {payload}"
                );
            }
        }
    }
    agent.scrape().assert_nothing_lost();
}

#[test]
fn loopback_in_the_hosts_namespace_is_the_workloads_own() {
    let test = "loopback_in_the_hosts_namespace_is_the_workloads_own";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    echo(&mut own, "127.0.0.1", ROUNDS, DATAGRAM);
    let all = ROUNDS * (2 * (20 + UDP_HEADER) + DATAGRAM + ANSWER);
    let metrics = agent.fresh_scrape();
    assert_eq!(loopback(&metrics, &id), [all, 2 * ROUNDS, all, 2 * ROUNDS]);
    let outside = metrics.all("container_network_transmit_bytes_total");
    assert_eq!(
        outside.filter(|sample| sample.labels["id"] == id).count(),
        0
    );
}

#[test]
fn a_removed_cgroups_traffic_stays_in_its_parents() {
    let test = "a_removed_cgroups_traffic_stays_in_its_parents";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    let once = 2 * (20 + UDP_HEADER) + DATAGRAM + ANSWER;
    let mut child = own.nested("child");
    echo(&mut child, "127.0.0.1", ROUNDS, DATAGRAM);
    child.remove();
    let total = |rounds: u64| [rounds * once, 2 * rounds, rounds * once, 2 * rounds];
    let metrics = agent.fresh_scrape();
    assert_eq!(loopback(&metrics, &id), total(ROUNDS));
    assert_eq!(
        loopback(&metrics, &child.path()),
        total(ROUNDS),
        "dead, until scraped"
    );
    // The same path again, twice as much in all.
    child.make_again(&[V2]);
    echo(&mut child, "127.0.0.1", ROUNDS, DATAGRAM);
    assert_eq!(loopback(&agent.fresh_scrape(), &id), total(2 * ROUNDS));
    child.remove();
    for _ in 0..3 {
        assert_eq!(loopback(&agent.fresh_scrape(), &id), total(2 * ROUNDS));
    }
    poll("retirement", || {
        (!agent.fresh_scrape().has(&child.path())).then_some(())
    });
    assert_eq!(loopback(&agent.scrape(), &id), total(2 * ROUNDS));
    own.remove();
}
