//! Addresses of interfaces.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NetworkError;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl From<IpAddr> for Mac {
    /// Locally administered, and the same whenever the address is the same: neighbours that remember it stay right.
    fn from(address: IpAddr) -> Self {
        let [.., a, b, c, d] = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl FromStr for Mac {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError::Config(format!("{text:?} is no MAC address"));
        let mut octets = [0; 6];
        let mut parts = text.split(['-', ':']);
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2);
            *octet = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(refuse)?;
        }
        let [first, ..] = octets;
        // The lowest bit of the first octet says: a group of interfaces.
        if parts.next().is_some() || first & 1 == 1 || octets == [0; 6] {
            return Err(refuse());
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl TryFrom<String> for Mac {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_makes_dockers_mac() {
        let mac = Mac::from("172.17.0.2".parse::<IpAddr>().unwrap());
        assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
        assert_eq!("02-42-AC-11-00-02".parse::<Mac>().unwrap(), mac);
    }

    #[test]
    fn what_no_interface_can_have_is_refused() {
        for text in [
            "",
            "02:42:ac:11:00",
            "02:42:ac:11:00:02:03",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "2:42:ac:11:0:2",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
