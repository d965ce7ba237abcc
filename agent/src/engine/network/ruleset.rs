//! The one nft table of ours, written out whole from what is known. It is replaced in one transaction.
//!
//! Published ports are elements of maps, each with its container's id as comment, so that a packet costs one
//! look-up however many ports there are.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;

use super::dns::{DOMAIN, PORT};
use super::record::{Endpoint, Network};

/// What the rules are for.
pub(super) struct Rules<'a> {
    /// Networks whose bridges are there.
    pub(super) networks: Vec<&'a Network>,
    /// Their containers.
    pub(super) endpoints: Vec<&'a Endpoint>,
    /// Interfaces that are not routed between, in IPv4 and in IPv6.
    pub(super) unrouted: [&'a [String]; 2],
}

/// Begins every version of the table. The first line makes the second one possible.
const REPLACE: &str = "table inet plimsoll\ndelete table inet plimsoll\n";

impl Rules<'_> {
    /// For `nft -f`. Without a bridge there is no table.
    pub(super) fn to_text(&self) -> String {
        if self.networks.is_empty() {
            return REPLACE.to_owned();
        }
        let mut out = format!("{REPLACE}table inet plimsoll {{\n");
        let bridges: Vec<String> = self
            .networks
            .iter()
            .map(|network| network.bridge())
            .collect();
        set(&mut out, "bridges", &bridges);
        set(&mut out, "unrouted4", self.unrouted[0]);
        set(&mut out, "unrouted6", self.unrouted[1]);
        self.responders(&mut out);
        self.maps(&mut out);
        out.push_str(RAW);
        out.push_str(PUBLISH);
        prerouting(&mut out);
        self.postrouting(&mut out);
        self.forward(&mut out);
        out.push_str("}\n");
        out
    }

    /// Where containers ask for names, by bridge.
    fn responders(&self, out: &mut String) {
        let gateways = self.networks.iter().flat_map(|network| {
            let v4 = network.pools.iter().filter(|pool| pool.gateway.is_ipv4());
            v4.map(|pool| {
                let (bridge, gateway) = (network.bridge(), pool.gateway);
                format!("\"{bridge}\" . {gateway} : {gateway} . {PORT}")
            })
        });
        let kind = "ifname . ipv4_addr : ipv4_addr . inet_service";
        map(out, "responders", kind, &gateways.collect());
    }

    fn maps(&self, out: &mut String) {
        for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
            let (mut at, mut anywhere) = (BTreeSet::new(), BTreeSet::new());
            for endpoint in &self.endpoints {
                for port in &endpoint.ports {
                    let of_family = |ip: IpAddr| ip.is_ipv4() == (family == "4");
                    let inside = endpoint
                        .addresses
                        .iter()
                        .map(IpNet::addr)
                        .find(|ip| of_family(*ip));
                    let (Some(inside), true) = (inside, of_family(port.host_ip)) else {
                        continue;
                    };
                    let (tag, inner) = (tag(&endpoint.container), port.container_port);
                    let key = format!("{} . {}", port.protocol, port.host_port);
                    let value = format!("comment \"{tag}\" : {inside} . {inner}");
                    if port.host_ip.is_unspecified() {
                        anywhere.insert(format!("{key} {value}"));
                    } else {
                        at.insert(format!("{} . {key} {value}", port.host_ip));
                    }
                }
            }
            let key = "inet_proto . inet_service";
            let value = format!("{kind} . inet_service");
            map(
                out,
                &format!("at{family}"),
                &format!("{kind} . {key} : {value}"),
                &at,
            );
            map(
                out,
                &format!("anywhere{family}"),
                &format!("{key} : {value}"),
                &anywhere,
            );
        }
    }

    fn postrouting(&self, out: &mut String) {
        out.push_str("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
        for network in self.networks.iter().filter(|network| !network.internal) {
            let bridge = network.bridge();
            // The host's 127.0.0.1, which a container cannot answer to.
            line(
                out,
                &format!("oifname \"{bridge}\" ip saddr 127.0.0.0/8 masquerade"),
            );
            for pool in &network.pools {
                let family = if pool.subnet.addr().is_ipv4() {
                    "ip"
                } else {
                    "ip6"
                };
                let subnet = pool.subnet;
                // By a published port to its own network: the answer has to come back through here.
                line(
                    out,
                    &format!(
                        "oifname \"{bridge}\" {family} saddr {subnet} ct status dnat masquerade"
                    ),
                );
                if network.masquerades() {
                    line(
                        out,
                        &format!("oifname != \"{bridge}\" {family} saddr {subnet} masquerade"),
                    );
                }
            }
        }
        out.push_str("\t}\n");
    }

    fn forward(&self, out: &mut String) {
        out.push_str(
            "\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n",
        );
        line(
            out,
            "meta nfproto ipv4 iifname @unrouted4 oifname @unrouted4 drop",
        );
        line(
            out,
            "meta nfproto ipv6 iifname @unrouted6 oifname @unrouted6 drop",
        );
        line(out, "iifname != @bridges oifname != @bridges return");
        for network in self.networks.iter().filter(|network| network.internal) {
            let bridge = network.bridge();
            line(
                out,
                &format!("iifname \"{bridge}\" oifname != \"{bridge}\" drop"),
            );
            line(
                out,
                &format!("iifname != \"{bridge}\" oifname \"{bridge}\" drop"),
            );
        }
        line(out, "ct state established,related accept");
        line(out, "ct status dnat accept");
        for network in &self.networks {
            let (bridge, verdict) = (
                network.bridge(),
                if network.icc() { "accept" } else { "drop" },
            );
            line(
                out,
                &format!("iifname \"{bridge}\" oifname \"{bridge}\" {verdict}"),
            );
        }
        // From another network, or from outside to a port that is not published.
        line(out, "oifname @bridges drop");
        out.push_str("\t}\n");
    }
}

/// With `route_localnet` a bridge's containers could reach what listens on the host's 127.0.0.1.
const RAW: &str = "\tchain raw {
\t\ttype filter hook prerouting priority raw; policy accept;
\t\tiifname @bridges ip daddr 127.0.0.0/8 drop
\t}
";

/// What comes from outside for 127.0.0.1 stays what the kernel drops: translated it would be let through.
const PUBLISH: &str = "\tchain publish {
\t\tdnat ip to ip daddr . meta l4proto . th dport map @at4
\t\tdnat ip to meta l4proto . th dport map @anywhere4
\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @at6
\t\tdnat ip6 to meta l4proto . th dport map @anywhere6
\t}
\tchain output {
\t\ttype nat hook output priority -100; policy accept;
\t\tip6 daddr ::1 return
\t\tfib daddr type local jump publish
\t}
";

/// Questions for names come first: a container may have published port 53.
fn prerouting(out: &mut String) {
    out.push_str(
        "\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n",
    );
    line(out, "iifname != \"lo\" ip daddr 127.0.0.0/8 return");
    line(
        out,
        &format!(
            "meta l4proto {{ tcp, udp }} th dport {DOMAIN} dnat ip to iifname . ip daddr map @responders"
        ),
    );
    line(out, "fib daddr type local jump publish");
    out.push_str("\t}\n");
}

fn set(out: &mut String, name: &str, interfaces: &[String]) {
    let quoted: Vec<String> = interfaces
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let elements = match quoted.as_slice() {
        [] => String::new(),
        quoted => format!(" elements = {{ {} }};", quoted.join(", ")),
    };
    // Writing to a String does not fail.
    let _ = writeln!(out, "\tset {name} {{ type ifname;{elements} }}");
}

fn map(out: &mut String, name: &str, kind: &str, elements: &BTreeSet<String>) {
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    let elements = match elements.as_slice() {
        [] => String::new(),
        elements => format!(" elements = {{\n\t\t{}\n\t}};", elements.join(",\n\t\t")),
    };
    // Writing to a String does not fail.
    let _ = writeln!(out, "\tmap {name} {{ type {kind};{elements} }}");
}

fn line(out: &mut String, rule: &str) {
    out.push_str("\t\t");
    out.push_str(rule);
    out.push('\n');
}

/// A container's id as a comment; nft takes up to 128 bytes.
fn tag(container: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    container.chars().filter(plain).take(64).collect()
}

#[cfg(test)]
#[path = "ruleset_tests.rs"]
mod tests;
