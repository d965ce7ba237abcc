//! The texts of a container's `/etc/hosts` and `/etc/hostname`.

use std::fmt::Write;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Endpoint, NetworkError};

/// As Docker begins the file.
const ALWAYS: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// `--add-host NAME:IP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHost {
    /// What is to be found.
    pub name: String,
    /// `None`: `host-gateway`, the host as the container sees it.
    pub address: Option<IpAddr>,
}

impl FromStr for ExtraHost {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError::Config(format!("bad format for add-host: {text:?}"));
        let (name, address) = text.split_once([':', '=']).ok_or_else(refuse)?;
        let bare = address
            .strip_prefix('[')
            .and_then(|address| address.strip_suffix(']'));
        let address = match bare.unwrap_or(address) {
            "host-gateway" => None,
            address => Some(address.parse().map_err(|_| refuse())?),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(refuse());
        }
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }
}

/// `/etc/hosts` of a container in some networks. `host`: what `host-gateway` stands for; without it such names are
/// left out. `domain`: of the host name, or empty.
pub fn hosts(
    hostname: &str,
    domain: &str,
    extra: &[ExtraHost],
    host: Option<IpAddr>,
    endpoints: &[Endpoint],
) -> String {
    let mut text = ALWAYS.to_owned();
    for one in extra {
        if let Some(address) = one.address.or(host) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{address}\t{}", one.name);
        }
    }
    let full = match (hostname, domain) {
        ("", _) => return text,
        (hostname, "") => hostname.to_owned(),
        (hostname, domain) => format!("{hostname}.{domain}"),
    };
    // A host name may have its domain with it.
    let names = match full.split_once('.') {
        Some((short, _)) => format!("{full} {short}"),
        None => full,
    };
    for address in endpoints.iter().flat_map(|endpoint| &endpoint.addresses) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}\t{names}", address.addr());
    }
    text
}

/// `/etc/hostname`.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_hosts_in_every_form() {
        for (text, name, address) in [
            ("db:10.0.0.7", "db", Some("10.0.0.7")),
            ("db=10.0.0.7", "db", Some("10.0.0.7")),
            ("db:::1", "db", Some("::1")),
            ("db:[fd00::7]", "db", Some("fd00::7")),
            (
                "host.docker.internal:host-gateway",
                "host.docker.internal",
                None,
            ),
        ] {
            let extra: ExtraHost = text.parse().unwrap();
            assert_eq!(extra.name, name);
            assert_eq!(
                extra.address,
                address.map(|address| address.parse().unwrap())
            );
        }
        for text in ["", "db", "db:", ":10.0.0.7", "db:here", "a b:10.0.0.7"] {
            assert!(text.parse::<ExtraHost>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_has_extra_hosts_before_the_containers_own() {
        let extra =
            ["db:10.0.0.7", "host.docker.internal:host-gateway"].map(|text| text.parse().unwrap());
        let mut endpoint: Endpoint = crate::engine::network::record::sample("web");
        endpoint.addresses.push("fd00::2/64".parse().unwrap());
        let gateway = Some("172.18.0.1".parse().unwrap());
        let text = hosts("box", "example.org", &extra, gateway, &[endpoint]);
        let own = text.strip_prefix(ALWAYS).unwrap();
        let expected = "10.0.0.7\tdb\n172.18.0.1\thost.docker.internal\n\
                        172.18.0.2\tbox.example.org box\nfd00::2\tbox.example.org box\n";
        assert_eq!(own, expected);
        assert_eq!(hosts("box", "", &[], None, &[]), ALWAYS);
    }

    #[test]
    fn a_name_with_its_domain_is_found_without_it_too() {
        let endpoint = crate::engine::network::record::sample("web");
        for (hostname, domain, names) in [
            ("foo", "", "foo"),
            ("foo.bar.baz", "", "foo.bar.baz foo"),
            ("foo", "bar.baz", "foo.bar.baz foo"),
            ("foo.bar", "baz", "foo.bar.baz foo"),
        ] {
            let text = hosts(hostname, domain, &[], None, std::slice::from_ref(&endpoint));
            let own = text.strip_prefix(ALWAYS).unwrap();
            assert_eq!(own, format!("172.18.0.2\t{names}\n"));
        }
    }
}
