//! Addresses and ports as text: `10.0.0.0/8`, `[2001:db8::1]:443`, `*:25`, `8000-8100`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kernel::{AddressRange, PortRange};

/// Why a text is no address or port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrafficError {
    #[error(
        "expected an address such as `10.0.0.0/8`, `10.1.2.3:443`, `[2001:db8::/32]:443` or `*:25`, not `{0}`"
    )]
    NoAddress(String),
    #[error("`{text}` has bits beyond its /{prefix_length}; write `{network}/{prefix_length}`")]
    HostBits {
        text: String,
        prefix_length: u8,
        network: IpAddr,
    },
    #[error("expected a port such as `8080` or `8000-8100`, not `{0}`")]
    NoPort(String),
}

/// Addresses, with a port or without. `*` is every address of both families, and so two ranges.
///
/// # Errors
/// Not an address; an address inside of the network it names.
pub fn parse_addresses(text: &str) -> Result<Vec<AddressRange>, TrafficError> {
    let wrong = || TrafficError::NoAddress(text.to_owned());
    let (address, port) = split_port(text.trim()).ok_or_else(wrong)?;
    if address == "*" {
        let any = |address| AddressRange {
            address,
            prefix_length: 0,
            port,
        };
        return Ok(vec![
            any(Ipv4Addr::UNSPECIFIED.into()),
            any(Ipv6Addr::UNSPECIFIED.into()),
        ]);
    }
    let (address, prefix) = match address.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (address, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix_length = match prefix {
        Some(prefix) => prefix.parse().map_err(|_| wrong())?,
        None => longest,
    };
    if prefix_length > longest {
        return Err(wrong());
    }
    let network = network_of(address, prefix_length);
    if network != address {
        return Err(TrafficError::HostBits {
            text: text.trim().to_owned(),
            prefix_length,
            network,
        });
    }
    Ok(vec![AddressRange {
        address,
        prefix_length,
        port,
    }])
}

/// One port or a range of them.
///
/// # Errors
/// Not a port; a range whose end is before its start.
pub fn parse_ports(text: &str) -> Result<PortRange, TrafficError> {
    let port = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
    let range = match text.split_once('-') {
        Some((first, last)) => port(first).zip(port(last)),
        None => port(text).map(|port| (port, port)),
    };
    let range = range.filter(|(first, last)| first <= last);
    let (first, last) = range.ok_or_else(|| TrafficError::NoPort(text.to_owned()))?;
    Ok(PortRange { first, last })
}

/// As it is written in the file.
#[must_use]
pub fn shown_address(range: &AddressRange) -> String {
    let AddressRange {
        address,
        prefix_length,
        port,
    } = range;
    match (address, port) {
        (_, None) => format!("{address}/{prefix_length}"),
        (IpAddr::V4(_), Some(port)) => format!("{address}/{prefix_length}:{port}"),
        (IpAddr::V6(_), Some(port)) => format!("[{address}/{prefix_length}]:{port}"),
    }
}

/// As it is written in the file.
#[must_use]
pub fn shown_ports(range: &PortRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

/// Whether all of `inner` lies in `outer`.
pub(super) fn covers(outer: &AddressRange, inner: &AddressRange) -> bool {
    let same_family = outer.address.is_ipv4() == inner.address.is_ipv4();
    same_family
        && outer.prefix_length <= inner.prefix_length
        && network_of(inner.address, outer.prefix_length) == outer.address
        && (outer.port.is_none() || outer.port == inner.port)
}

/// The address and, where there is one, the port behind it. IPv6 takes brackets before a port.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let port = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(number) => Some((address, Some(port(number)?))),
            None => rest.is_empty().then_some((address, None)),
        };
    }
    match text.split_once(':') {
        Some((address, number)) if !number.contains(':') => Some((address, Some(port(number)?))),
        _ => Some((text, None)),
    }
}

fn network_of(address: IpAddr, prefix_length: u8) -> IpAddr {
    let prefix = u32::from(prefix_length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, shown) in [
            ("169.254.169.254", "169.254.169.254/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3:443", "10.1.2.3/32:443"),
            ("10.0.0.0/8:53", "10.0.0.0/8:53"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("[2001:db8::1]:443", "[2001:db8::1/128]:443"),
            ("[2001:db8::/32]:443", "[2001:db8::/32]:443"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            let ranges = parse_addresses(text).unwrap();
            assert_eq!(ranges.len(), 1);
            assert_eq!(shown_address(&ranges[0]), shown, "{text}");
        }
        let everywhere = parse_addresses("*:25").unwrap();
        let everywhere: Vec<String> = everywhere.iter().map(shown_address).collect();
        assert_eq!(everywhere, ["0.0.0.0/0:25", "[::/0]:25"]);
    }

    #[test]
    fn wrong_addresses_are_refused() {
        for text in [
            "example.org",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "10.0.0.1:0",
            "10.0.0.1:99999",
            "[::1",
            "[::1]443",
            "",
            ":25",
            "*/8",
        ] {
            let error = parse_addresses(text).unwrap_err();
            assert_eq!(error, TrafficError::NoAddress(text.into()), "{text}");
        }
        let error = parse_addresses("10.1.2.3/8").unwrap_err().to_string();
        assert_eq!(
            error,
            "`10.1.2.3/8` has bits beyond its /8; write `10.0.0.0/8`"
        );
    }

    #[test]
    fn ports_are_read_and_shown() {
        for text in ["8080", "8000-8100", "1-65535"] {
            assert_eq!(shown_ports(&parse_ports(text).unwrap()), text);
        }
        for text in ["0", "65536", "9-8", "http", "-5", "", "1-2-3"] {
            let error = parse_ports(text).unwrap_err();
            assert_eq!(error, TrafficError::NoPort(text.into()));
        }
    }

    #[test]
    fn a_network_covers_what_is_in_it() {
        let range = |text: &str| parse_addresses(text).unwrap()[0];
        assert!(covers(&range("10.0.0.0/8"), &range("10.1.2.3:80")));
        assert!(covers(&range("0.0.0.0/0"), &range("10.1.2.3")));
        assert!(!covers(&range("10.0.0.0/8"), &range("11.0.0.0/8")));
        assert!(!covers(&range("10.0.0.0/8:80"), &range("10.1.2.3")));
        assert!(!covers(&range("10.1.2.3"), &range("10.0.0.0/8")));
        assert!(!covers(&range("0.0.0.0/0"), &range("::1")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _any_answer_will_do = parse_addresses(&text);
            let _any_answer_will_do = parse_ports(&text);
        }

        #[test]
        fn what_is_shown_is_read_back(bits: u128, v4: bool, prefix in 0_u8..=128, port: Option<u16>) {
            let prefix_length = if v4 { prefix.min(32) } else { prefix };
            let address = if v4 {
                IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            };
            let range = AddressRange {
                address: network_of(address, prefix_length),
                prefix_length,
                port: port.filter(|port| *port > 0),
            };
            prop_assert_eq!(parse_addresses(&shown_address(&range)), Ok(vec![range]));
        }
    }
}
