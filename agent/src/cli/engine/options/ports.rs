//! The words of `-p` and `--expose`.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::PortBinding;

/// What `-p` and `--expose` add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports {
    /// `80/tcp`, in order and once each.
    pub(super) exposed: Vec<String>,
    pub(super) bindings: HashMap<String, Option<Vec<PortBinding>>>,
}

/// One `-p`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    ip: String,
    /// Empty: the engine chooses.
    host: Option<Range>,
    container: Range,
    protocol: String,
}

/// Ports from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u16,
    last: u16,
}

/// One `--expose`: `80`, `90-92/udp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exposed {
    ports: Range,
    protocol: String,
}

impl Ports {
    pub(super) fn of(published: &[Published], exposed: &[Exposed]) -> Self {
        let mut ports = Self::default();
        for published in published {
            let container = published.container;
            for (offset, port) in (container.first..=container.last).enumerate() {
                let name = format!("{port}/{}", published.protocol);
                ports.expose(&name);
                let bindings = ports.bindings.entry(name).or_default();
                bindings.get_or_insert_default().push(PortBinding {
                    host_ip: Some(published.ip.clone()),
                    host_port: Some(published.host_port(offset)),
                });
            }
        }
        for Exposed {
            ports: range,
            protocol,
        } in exposed
        {
            for port in range.first..=range.last {
                ports.expose(&format!("{port}/{protocol}"));
            }
        }
        ports
    }

    fn expose(&mut self, name: &str) {
        if !self.exposed.iter().any(|exposed| exposed == name) {
            self.exposed.push(name.to_owned());
        }
    }
}

impl Published {
    /// Of the port at `offset` in the container's range.
    fn host_port(&self, offset: usize) -> String {
        let Some(host) = self.host else {
            return String::new();
        };
        // Several for one: the engine takes the first that is free.
        if self.container.first == self.container.last && host.first != host.last {
            return format!("{}-{}", host.first, host.last);
        }
        (usize::from(host.first) + offset).to_string()
    }
}

/// `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, or in words: `published=80,target=8080`.
pub(super) fn published(text: &str) -> Result<Published, String> {
    if text.contains('=') {
        return in_words(text);
    }
    let (ports, protocol) = protocol(text)?;
    let (rest, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (ip, host) = rest.rsplit_once(':').unwrap_or(("", rest));
    let container = range(container).map_err(|_| format!("invalid containerPort: {container}"))?;
    let host = match host {
        "" => None,
        host => Some(range(host).map_err(|_| format!("invalid hostPort: {host}"))?),
    };
    published_of(address(ip)?, host, container, protocol)
}

/// `80`, `90-92/udp`
pub(super) fn exposed(text: &str) -> Result<Exposed, String> {
    let (ports, protocol) = protocol(text)?;
    Ok(Exposed {
        ports: range(ports)
            .map_err(|error| format!("invalid range format for --expose: {error}"))?,
        protocol,
    })
}

fn in_words(text: &str) -> Result<Published, String> {
    let (mut host, mut container, mut spoken) = (None, None, "tcp");
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("published", ports)) => host = Some(range(ports)?),
            Some(("target", ports)) => container = Some(range(ports)?),
            Some(("protocol", protocol)) => spoken = protocol,
            Some(("mode", _)) => {}
            _ => return Err(format!("invalid field {field}")),
        }
    }
    let container = container.ok_or("target is required")?;
    let (_, protocol) = protocol(&format!("/{spoken}"))?;
    published_of(String::new(), host, container, protocol)
}

fn published_of(
    ip: String,
    host: Option<Range>,
    container: Range,
    protocol: String,
) -> Result<Published, String> {
    if let Some(host) = host
        && container.first != container.last
        && host.last - host.first != container.last - container.first
    {
        return Err(format!(
            "invalid ranges specified for container and host Ports: {container} and {host}"
        ));
    }
    Ok(Published {
        ip,
        host,
        container,
        protocol,
    })
}

fn protocol(text: &str) -> Result<(&str, String), String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    match protocol.as_str() {
        "tcp" | "udp" | "sctp" => Ok((ports, protocol)),
        _ => Err(format!("invalid proto: {protocol}")),
    }
}

fn address(text: &str) -> Result<String, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {text}"));
    }
    Ok(bare.to_owned())
}

fn range(text: &str) -> Result<Range, String> {
    let port = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| format!("`{text}` is no port"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(format!("`{text}` begins after its end"));
    }
    Ok(Range { first, last })
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_no_port() {
        for (text, why) in [
            ("x", "invalid containerPort: x"),
            ("80:90:100:110", "invalid IP address: 80:90"),
            ("99999:80", "invalid hostPort: 99999"),
            (
                "80-82:90-91",
                "invalid ranges specified for container and host Ports: 90-91 and 80-82",
            ),
            ("80/icmp", "invalid proto: icmp"),
            ("published=80", "target is required"),
        ] {
            assert_eq!(published(text).unwrap_err(), why, "{text}");
        }
        assert!(exposed("92-90").is_err());
    }
}
