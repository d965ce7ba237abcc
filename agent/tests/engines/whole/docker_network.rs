//! Traffic of containers is what their programs counted, and headers.

use super::traffic::{ANSWER, End, PAYLOAD, ROUNDS, STREAM};
use super::{agent_of, docker};
use crate::agent::Agent;
use crate::docker::Docker;
use crate::samples::Samples;
use crate::{blocking_turn, skip};

/// Headers of IPv4 and UDP.
const UDP: u64 = 28;
/// Headers of IPv4 and TCP, with as many options as fit.
const TCP_MOST: f64 = 20.0 + 60.0;

#[test]
fn docker_udp_over_a_bridge_is_exact() {
    let Some(docker) = docker("docker_udp_over_a_bridge_is_exact") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let (server, port) = End::server(&docker, "bridge", "udp-server");
    let address = address(&docker, &server);
    let client = End::client(&docker, "bridge", "udp-client", [&address, &port]);
    assert_eq!(client.counted(), [ROUNDS * PAYLOAD, ROUNDS * ANSWER]);
    assert_eq!(server.counted(), [ROUNDS * ANSWER, ROUNDS * PAYLOAD]);

    let samples = named(&agent, ["udp-client", "udp-server"]);
    let [there, back] = [PAYLOAD, ANSWER].map(|bytes| (ROUNDS * (bytes + UDP)) as f64);
    for (name, sent, received) in [("udp-client", there, back), ("udp-server", back, there)] {
        let told = [
            "transmit_bytes",
            "receive_bytes",
            "transmit_packets",
            "receive_packets",
        ]
        .map(|what| eth0(&samples, name, what));
        println!("{name}: {told:?}");
        assert_eq!(told, [sent, received, ROUNDS as f64, ROUNDS as f64]);
        // Nothing went over lo.
        assert_eq!(loopback(&samples, name, "transmit_bytes"), 0.0);
    }
}

#[test]
fn docker_tcp_over_a_bridge_is_payload_and_headers() {
    let Some(docker) = docker("docker_tcp_over_a_bridge_is_payload_and_headers") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let (server, port) = End::server(&docker, "bridge", "tcp-server");
    let address = address(&docker, &server);
    let client = End::client(&docker, "bridge", "tcp-client", [&address, &port]);
    assert_eq!(client.counted(), [STREAM, 0]);
    assert_eq!(server.counted(), [0, STREAM]);

    let samples = named(&agent, ["tcp-client", "tcp-server"]);
    for (name, payload) in [
        ("tcp-client", [STREAM as f64, 0.0]),
        ("tcp-server", [0.0, STREAM as f64]),
    ] {
        for (direction, payload) in ["transmit", "receive"].into_iter().zip(payload) {
            let bytes = eth0(&samples, name, &format!("{direction}_bytes"));
            let packets = eth0(&samples, name, &format!("{direction}_packets"));
            println!("{name} {direction}: {bytes} bytes, {packets} packets, {payload} of payload");
            assert!(packets >= 3.0);
            // A packet that the device splits later has its headers counted once.
            let most = payload + packets * TCP_MOST;
            assert!(bytes > payload && bytes <= most);
        }
    }
}

#[test]
fn docker_containers_on_the_hosts_network_have_their_own_traffic() {
    let test = "docker_containers_on_the_hosts_network_have_their_own_traffic";
    let _turn = blocking_turn();
    // In the host's network namespace; without an interface to the outside it still has `lo`.
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(reason) => return skip(test, &reason),
    };
    let agent = agent_of(&docker);
    let (server, port) = End::server(&docker, "host", "udp-server");
    let client = End::client(&docker, "host", "udp-client", ["127.0.0.1", &port]);
    assert_eq!(client.counted(), [ROUNDS * PAYLOAD, ROUNDS * ANSWER]);
    assert_eq!(server.counted(), [ROUNDS * ANSWER, ROUNDS * PAYLOAD]);

    let samples = named(&agent, ["udp-client", "udp-server"]);
    let [there, back] = [PAYLOAD, ANSWER].map(|bytes| (ROUNDS * (bytes + UDP)) as f64);
    for (name, sent, received) in [("udp-client", there, back), ("udp-server", back, there)] {
        // The host has much more, these scrapes among it.
        let told = ["transmit_bytes", "receive_bytes"].map(|what| loopback(&samples, name, what));
        assert_eq!(told, [sent, received], "{name}");
        let outside = samples.interfaces(name);
        assert!(outside.is_empty(), "{name} has the host's {outside:?}");
    }
}

/// A reading begun now, in which both have their names.
fn named(agent: &Agent, names: [&str; 2]) -> Samples {
    for name in names {
        agent.wait(name, |samples| samples.of(name, "container_last_seen"));
    }
    agent.fresh()
}

fn eth0(samples: &Samples, name: &str, what: &str) -> f64 {
    let family = format!("container_network_{what}_total");
    let labels = [("name", name), ("interface", "eth0")];
    samples.one(&family, &labels).expect("no traffic").value
}

/// 0 when nothing is told.
fn loopback(samples: &Samples, name: &str, what: &str) -> f64 {
    let family = format!("plimsoll_container_network_loopback_{what}_total");
    samples.of(name, &family).unwrap_or(0.0)
}

fn address(docker: &Docker, end: &End<'_>) -> String {
    let address = "{{.NetworkSettings.IPAddress}}";
    docker.cli(&["inspect", "--format", address, &end.container.id])
}
