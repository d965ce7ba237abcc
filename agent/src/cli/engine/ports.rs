//! Ports of a container in one cell.

use std::net::IpAddr;

use bollard::models::PortSummary;

/// A run of ports, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    ip: Option<String>,
    protocol: String,
    first: u16,
    last: u16,
}

/// `80/tcp`, `0.0.0.0:80-81->80-81/tcp, 0.0.0.0:8080->90/tcp`: neighbors that are reached under their own
/// number are one, the others come last.
pub(super) fn cell(ports: &[PortSummary]) -> String {
    let mut ports: Vec<&PortSummary> = ports.iter().collect();
    ports.sort_by_cached_key(|port| {
        let ip = port.ip.clone().unwrap_or_default();
        (port.private_port, ip, port.public_port, protocol(port))
    });
    // Those that another one of their kind has followed after a gap, then the last of each kind.
    let (mut closed, mut open): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
    let mut mapped = Vec::new();
    for port in ports {
        let ip = port.ip.clone().filter(|ip| !ip.is_empty());
        let number = port.private_port;
        let public = port.public_port.unwrap_or_default();
        if let Some(ip) = ip.as_deref().filter(|_| public != number) {
            mapped.push(format!(
                "{}->{number}/{}",
                joined(ip, &public.to_string()),
                protocol(port)
            ));
            continue;
        }
        let run = Run {
            ip,
            protocol: protocol(port),
            first: number,
            last: number,
        };
        let same = open
            .iter_mut()
            .find(|other| (&other.ip, &other.protocol) == (&run.ip, &run.protocol));
        match same {
            None => open.push(run),
            Some(other) if other.last.checked_add(1) == Some(number) => other.last = number,
            Some(other) => closed.push(std::mem::replace(other, run)),
        }
    }
    let runs = closed.iter().chain(&open).map(Run::text);
    runs.chain(mapped).collect::<Vec<_>>().join(", ")
}

impl Run {
    fn text(&self) -> String {
        let ports = match self.first == self.last {
            true => self.first.to_string(),
            false => format!("{}-{}", self.first, self.last),
        };
        let ports = match &self.ip {
            Some(ip) => format!("{}->{ports}", joined(ip, &ports)),
            None => ports,
        };
        format!("{ports}/{}", self.protocol)
    }
}

fn protocol(port: &PortSummary) -> String {
    port.typ
        .map(|protocol| protocol.to_string())
        .unwrap_or_default()
}

fn joined(ip: &str, ports: &str) -> String {
    match ip.parse() {
        Ok(IpAddr::V6(_)) => format!("[{ip}]:{ports}"),
        _ => format!("{ip}:{ports}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::PortSummaryTypeEnum::{self, TCP, UDP};

    fn port(ip: &str, private: u16, public: u16, protocol: PortSummaryTypeEnum) -> PortSummary {
        PortSummary {
            ip: (!ip.is_empty()).then(|| ip.into()),
            private_port: private,
            public_port: (public > 0).then_some(public),
            typ: Some(protocol),
        }
    }

    #[test]
    fn neighbors_are_one() {
        let any = "0.0.0.0";
        for (ports, text) in [
            (vec![port("", 80, 0, TCP)], "80/tcp"),
            (vec![port(any, 80, 8080, TCP)], "0.0.0.0:8080->80/tcp"),
            (vec![port("::", 80, 80, TCP)], "[::]:80->80/tcp"),
            (
                vec![
                    port("", 82, 0, TCP),
                    port("", 80, 0, TCP),
                    port("", 81, 0, TCP),
                    port("", 81, 0, UDP),
                ],
                "80-82/tcp, 81/udp",
            ),
            (
                vec![
                    port(any, 80, 80, TCP),
                    port(any, 81, 81, TCP),
                    port(any, 90, 90, TCP),
                ],
                "0.0.0.0:80-81->80-81/tcp, 0.0.0.0:90->90/tcp",
            ),
            (
                vec![port(any, 80, 8080, TCP), port("", 81, 0, TCP)],
                "81/tcp, 0.0.0.0:8080->80/tcp",
            ),
        ] {
            assert_eq!(cell(&ports), text);
        }
    }
}
