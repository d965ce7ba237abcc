//! Lists of rules in the form that the programs read.

use std::net::{IpAddr, Ipv6Addr};

use plimsoll_abi::rules::{
    ANY, ANY_PORT, AddressRule, Addresses, DeviceRule as EncodedDevice, Devices, PortRule, Ports,
    RULES_MAX,
};

use super::rule::{AddressRange, DeviceKind, DeviceRule, PortRange, TrafficRules};

/// Of `::ffff:0:0/96`, where IPv4 is.
const V4_PREFIX: u8 = 96;
/// `BPF_DEVCG_*` (include/uapi/linux/bpf.h, v6.12).
const DEV_BLOCK: u32 = 1;
const DEV_CHAR: u32 = 2;
const ACC_MKNOD: u32 = 1;
const ACC_READ: u32 = 2;
const ACC_WRITE: u32 = 4;

/// `None`: no rule. The rules have been checked.
pub(super) fn addresses(rules: &TrafficRules) -> Option<Addresses> {
    let deny = rules.connect_deny.iter().map(|range| address(range, true));
    let allow = rules
        .connect_allow
        .iter()
        .map(|range| address(range, false));
    let mut encoded = Addresses {
        count: 0,
        deny_others: u32::from(!rules.connect_allow.is_empty()),
        rules: [AddressRule::default(); RULES_MAX],
    };
    for (place, rule) in encoded.rules.iter_mut().zip(deny.chain(allow)) {
        *place = rule;
        encoded.count += 1;
    }
    (encoded.count > 0).then_some(encoded)
}

/// `None`: no rule. The rules have been checked.
pub(super) fn ports(rules: &TrafficRules) -> Option<Ports> {
    let encode = |range: &PortRange, deny| PortRule {
        first: range.first,
        last: range.last,
        deny,
    };
    let deny = rules.bind_deny.iter().map(|range| encode(range, 1));
    let allow = rules.bind_allow.iter().map(|range| encode(range, 0));
    let mut encoded = Ports {
        count: 0,
        deny_others: u32::from(!rules.bind_allow.is_empty()),
        rules: [PortRule::default(); RULES_MAX],
    };
    for (place, rule) in encoded.rules.iter_mut().zip(deny.chain(allow)) {
        *place = rule;
        encoded.count += 1;
    }
    (encoded.count > 0).then_some(encoded)
}

/// The rules have been checked.
pub(super) fn devices(rules: &[DeviceRule]) -> Devices {
    let mut encoded = Devices {
        count: 0,
        reserved: 0,
        rules: [EncodedDevice::default(); RULES_MAX],
    };
    for (place, rule) in encoded.rules.iter_mut().zip(rules) {
        *place = device(rule);
        encoded.count += 1;
    }
    encoded
}

/// The rules of an attached list, as they were set but for bits outside of a prefix.
pub(super) fn decode_addresses(encoded: &Addresses, rules: &mut TrafficRules) {
    for rule in encoded.rules.iter().take(encoded.count as usize) {
        let list = if rule.deny == 1 {
            &mut rules.connect_deny
        } else {
            &mut rules.connect_allow
        };
        list.push(decode_address(rule));
    }
}

pub(super) fn decode_ports(encoded: &Ports, rules: &mut TrafficRules) {
    for rule in encoded.rules.iter().take(encoded.count as usize) {
        let list = if rule.deny == 1 {
            &mut rules.bind_deny
        } else {
            &mut rules.bind_allow
        };
        list.push(PortRange {
            first: rule.first,
            last: rule.last,
        });
    }
}

pub(super) fn decode_devices(encoded: &Devices) -> Vec<DeviceRule> {
    let rules = encoded.rules.iter().take(encoded.count as usize);
    rules.map(decode_device).collect()
}

fn decode_address(rule: &AddressRule) -> AddressRange {
    let bits = |words: [u32; 4]| {
        words.iter().fold(0, |bits: u128, word| {
            bits << 32 | u128::from(u32::from_be(*word))
        })
    };
    let address = Ipv6Addr::from_bits(bits(rule.address));
    let prefix = bits(rule.mask).leading_ones() as u8;
    let (address, prefix_length) = match address.to_ipv4_mapped() {
        Some(v4) if prefix >= V4_PREFIX => (IpAddr::V4(v4), prefix - V4_PREFIX),
        _ => (IpAddr::V6(address), prefix),
    };
    AddressRange {
        address,
        prefix_length,
        port: u16::try_from(rule.port).ok(),
    }
}

fn decode_device(rule: &EncodedDevice) -> DeviceRule {
    let letters = [('r', ACC_READ), ('w', ACC_WRITE), ('m', ACC_MKNOD)];
    let number = |number| (number != ANY).then_some(number);
    DeviceRule {
        allow: rule.allow == 1,
        kind: match rule.kind {
            DEV_BLOCK => DeviceKind::Block,
            DEV_CHAR => DeviceKind::Char,
            _ => DeviceKind::All,
        },
        major: number(rule.major),
        minor: number(rule.minor),
        access: letters
            .iter()
            .filter(|(_, bit)| rule.access & bit != 0)
            .map(|(letter, _)| letter)
            .collect(),
    }
}

fn address(range: &AddressRange, deny: bool) -> AddressRule {
    let (address, prefix) = match range.address {
        IpAddr::V4(v4) => (
            v4.to_ipv6_mapped(),
            u32::from(range.prefix_length + V4_PREFIX),
        ),
        IpAddr::V6(v6) => (v6, u32::from(range.prefix_length)),
    };
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    AddressRule {
        address: words(address.to_bits() & mask),
        mask: words(mask),
        port: range.port.map_or(ANY_PORT, u32::from),
        deny: u32::from(deny),
    }
}

/// The four words of an address, in network order.
fn words(bits: u128) -> [u32; 4] {
    [96, 64, 32, 0].map(|shift| ((bits >> shift) as u32).to_be())
}

fn device(rule: &DeviceRule) -> EncodedDevice {
    let bit = |letter, bit| if rule.access.contains(letter) { bit } else { 0 };
    EncodedDevice {
        kind: match rule.kind {
            DeviceKind::All => ANY,
            DeviceKind::Block => DEV_BLOCK,
            DeviceKind::Char => DEV_CHAR,
        },
        major: rule.major.unwrap_or(ANY),
        minor: rule.minor.unwrap_or(ANY),
        access: bit('m', ACC_MKNOD) | bit('r', ACC_READ) | bit('w', ACC_WRITE),
        allow: u32::from(rule.allow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(address: &str, prefix_length: u8, port: Option<u16>) -> AddressRange {
        AddressRange {
            address: address.parse().expect("an address"),
            prefix_length,
            port,
        }
    }

    #[test]
    fn ipv4_is_mapped_and_masked() {
        let encoded = address(&range("10.1.2.3", 8, Some(443)), true);
        assert_eq!(
            encoded.address.map(u32::from_be),
            [0, 0, 0xffff, 0x0a00_0000]
        );
        assert_eq!(
            encoded.mask.map(u32::from_be),
            [u32::MAX, u32::MAX, u32::MAX, 0xff00_0000]
        );
        assert_eq!((encoded.port, encoded.deny), (443, 1));
        let all = address(&range("::", 0, None), false);
        assert_eq!(
            (all.address, all.mask, all.port),
            ([0; 4], [0; 4], ANY_PORT)
        );
        let one = address(&range("fd00::1", 128, None), false);
        assert_eq!(one.address.map(u32::from_be), [0xfd00_0000, 0, 0, 1]);
        assert_eq!(one.mask, [u32::MAX; 4]);
    }

    #[test]
    fn what_denies_comes_first_and_a_list_of_allowed_denies_others() {
        let rules = TrafficRules {
            connect_allow: vec![range("10.0.0.0", 8, None)],
            connect_deny: vec![range("10.1.0.0", 16, None)],
            ..TrafficRules::default()
        };
        let encoded = addresses(&rules).expect("rules");
        assert_eq!((encoded.count, encoded.deny_others), (2, 1));
        assert_eq!([encoded.rules[0].deny, encoded.rules[1].deny], [1, 0]);
        assert_eq!(addresses(&TrafficRules::default()), None);
        assert_eq!(ports(&TrafficRules::default()), None);
        let denied = TrafficRules {
            bind_deny: vec![PortRange { first: 1, last: 9 }],
            ..TrafficRules::default()
        };
        assert_eq!(ports(&denied).expect("rules").deny_others, 0);
    }

    #[test]
    fn a_device_rule_has_the_kernels_bits() {
        let encoded = devices(&[DeviceRule {
            allow: true,
            kind: DeviceKind::Char,
            major: Some(1),
            minor: None,
            access: "rw".to_owned(),
        }]);
        assert_eq!(encoded.count, 1);
        let rule = encoded.rules[0];
        assert_eq!((rule.kind, rule.major, rule.minor), (2, 1, ANY));
        assert_eq!((rule.access, rule.allow), (ACC_READ | ACC_WRITE, 1));
    }

    #[test]
    fn lists_come_back_as_they_were_set() {
        let rules = TrafficRules {
            connect_allow: vec![range("10.0.0.0", 8, None), range("fd00::", 16, Some(443))],
            connect_deny: vec![range("0.0.0.0", 0, Some(25)), range("::", 0, None)],
            bind_allow: vec![PortRange {
                first: 80,
                last: 90,
            }],
            bind_deny: vec![PortRange { first: 0, last: 0 }],
            ..TrafficRules::default()
        };
        let mut read = TrafficRules::default();
        decode_addresses(&addresses(&rules).expect("rules"), &mut read);
        decode_ports(&ports(&rules).expect("rules"), &mut read);
        assert_eq!(read, rules);
        let list = vec![DeviceRule {
            allow: false,
            kind: DeviceKind::Block,
            major: Some(8),
            minor: None,
            access: "rm".to_owned(),
        }];
        assert_eq!(decode_devices(&devices(&list)), list);
    }
}
