//! `resolv.conf`: the host's, read, and a container's, written.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;

/// Where systemd-resolved, which listens on the host's loopback only, says whom it asks itself.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
const HOSTS_OWN: &str = "/etc/resolv.conf";

/// What a `resolv.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Whom to ask.
    pub servers: Vec<IpAddr>,
    /// What to append to short names; `.` stands for nothing.
    pub search: Vec<String>,
    /// As `resolv.conf(5)` has them.
    pub options: Vec<String>,
}

/// Who answers a container's questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// Whom the host asks: a container in the default network.
    Hosts {
        /// Where our responder is, for hosts whose own is on their loopback, out of a container's reach.
        otherwise: Option<IpAddr>,
        /// Whether it reaches those with IPv6 addresses.
        ipv6: bool,
    },
    /// Whom the host asks, on its loopback too: a container in the host's network namespace.
    AsHost,
    /// Our responder, which knows the containers of a network, at the bridge's address.
    Ours(IpAddr),
}

impl ResolvConf {
    /// The file's text, taken apart. What is not understood is left out.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                // Of an address like `fe80::1%eth0` the interface means nothing to a container.
                Some("nameserver") => conf
                    .servers
                    .extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
                // The last one counts.
                Some("search" | "domain") => conf.search = words.map(str::to_owned).collect(),
                Some("options") => conf.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        conf
    }

    /// The host's: not the loopback address of systemd-resolved, but whom that one asks.
    pub fn of_host() -> Self {
        let read = |path| Self::parse(&fs::read_to_string(path).unwrap_or_default());
        let own = read(HOSTS_OWN);
        let resolved = IpAddr::from([127, 0, 0, 53]);
        if own.servers == [resolved] {
            let behind = read(BEHIND_RESOLVED);
            if !behind.servers.is_empty() {
                return behind;
            }
        }
        own
    }

    /// A container's, from the host's (`self`) and what was wished for with `--dns`, `--dns-search`, `--dns-opt`.
    pub fn for_container(&self, wish: &Self, resolver: Resolver) -> Self {
        let servers = match resolver {
            Resolver::Ours(gateway) => vec![gateway],
            _ if !wish.servers.is_empty() => wish.servers.clone(),
            Resolver::AsHost => self.servers.clone(),
            Resolver::Hosts { otherwise, ipv6 } => {
                let is_reachable =
                    |server: &&IpAddr| !server.is_loopback() && (ipv6 || server.is_ipv4());
                let reachable: Vec<IpAddr> =
                    self.servers.iter().filter(is_reachable).copied().collect();
                if reachable.is_empty() {
                    otherwise.into_iter().collect()
                } else {
                    reachable
                }
            }
        };
        let wished = |wish: &[String], host: &[String]| {
            let chosen = if wish.is_empty() { host } else { wish };
            chosen.iter().filter(|word| *word != ".").cloned().collect()
        };
        let mut options: Vec<String> = wished(&wish.options, &self.options);
        // Containers' names have no dot, and our responder is asked for them as they are, as Docker's is.
        if matches!(resolver, Resolver::Ours(_))
            && !options.iter().any(|option| option.starts_with("ndots:"))
        {
            options.push("ndots:0".into());
        }
        Self {
            servers,
            search: wished(&wish.search, &self.search),
            options,
        }
    }

    /// For `/etc/resolv.conf`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for server in &self.servers {
            // Writing to a String does not fail.
            let _ = writeln!(text, "nameserver {server}");
        }
        for (keyword, words) in [("search", &self.search), ("options", &self.options)] {
            if !words.is_empty() {
                // Writing to a String does not fail.
                let _ = writeln!(text, "{keyword} {}", words.join(" "));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "# made by hand\nnameserver 10.0.0.53\nnameserver 127.0.0.1\nnameserver fe80::1%eth0\n\
                        domain old.example\nsearch corp.example example\noptions edns0 timeout:1\n";

    fn gateway() -> IpAddr {
        "172.18.0.1".parse().unwrap()
    }

    #[test]
    fn the_default_network_asks_whom_the_host_asks() {
        let host = ResolvConf::parse(HOST);
        let resolver = Resolver::Hosts {
            otherwise: Some(gateway()),
            ipv6: true,
        };
        let text = host
            .for_container(&ResolvConf::default(), resolver)
            .to_text();
        assert_eq!(
            text,
            "nameserver 10.0.0.53\nsearch corp.example example\noptions edns0 timeout:1\n"
        );
    }

    #[test]
    fn a_resolver_on_the_hosts_loopback_is_asked_through_ours() {
        let host = ResolvConf::parse("nameserver 127.0.0.53\n");
        let resolver = Resolver::Hosts {
            otherwise: Some(gateway()),
            ipv6: true,
        };
        let text = host
            .for_container(&ResolvConf::default(), resolver)
            .to_text();
        assert_eq!(text, "nameserver 172.18.0.1\n");
    }

    #[test]
    fn other_networks_ask_our_responder() {
        let host = ResolvConf::parse(HOST);
        let wish = ResolvConf::parse("nameserver 9.9.9.9\nsearch .\noptions ndots:2\n");
        let conf = host.for_container(&wish, Resolver::Ours(gateway()));
        assert_eq!(conf.to_text(), "nameserver 172.18.0.1\noptions ndots:2\n");
        let conf = host.for_container(&ResolvConf::default(), Resolver::Ours(gateway()));
        assert_eq!(conf.options, ["edns0", "timeout:1", "ndots:0"]);
    }

    #[test]
    fn wished_servers_are_asked_directly_in_the_default_network() {
        let wish = ResolvConf::parse("nameserver 9.9.9.9\n");
        let resolver = Resolver::Hosts {
            otherwise: None,
            ipv6: false,
        };
        let conf = ResolvConf::parse(HOST).for_container(&wish, resolver);
        assert_eq!(conf.servers, ["9.9.9.9".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn servers_in_ipv6_are_for_containers_with_ipv6() {
        let servers = |host: &str, ipv6| {
            let resolver = Resolver::Hosts {
                otherwise: Some(gateway()),
                ipv6,
            };
            let conf = ResolvConf::parse(host).for_container(&ResolvConf::default(), resolver);
            conf.to_text()
        };
        let both = "nameserver fd00::53\nnameserver 10.0.0.53\n";
        assert_eq!(servers(both, true), both);
        assert_eq!(servers(both, false), "nameserver 10.0.0.53\n");
        let alone = "nameserver fd00::53\n";
        assert_eq!(servers(alone, false), "nameserver 172.18.0.1\n");
    }

    #[test]
    fn in_the_hosts_network_its_loopback_is_reached() {
        let host = ResolvConf::parse("nameserver 127.0.0.53\nsearch corp.example\n");
        let wish = ResolvConf::parse("search x.y\n");
        let conf = host.for_container(&wish, Resolver::AsHost);
        assert_eq!(conf.to_text(), "nameserver 127.0.0.53\nsearch x.y\n");
        let wish = ResolvConf::parse("nameserver 9.9.9.9\n");
        let conf = host.for_container(&wish, Resolver::AsHost);
        assert_eq!(conf.to_text(), "nameserver 9.9.9.9\nsearch corp.example\n");
    }
}
