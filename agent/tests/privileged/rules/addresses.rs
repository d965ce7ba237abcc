//! Connect and sendmsg rules, asked by system calls of a process in the cgroup.
#![allow(clippy::unwrap_used)]

use plimsoll::kernel::{AddressRange, CgroupRules, TrafficRules};

use super::wire::id;
use crate::support::{OwnCgroup, V2, installed};

/// Arguments: `connect` or `send`, family, address, port. Exit status: the errno, 0 for success.
const TRY: &str = r#"
use strict; use Socket qw(:all); use IO::Socket::IP;
my ($what, $family, $address, $port) = @ARGV;
my $domain = $family == 6 ? AF_INET6 : AF_INET;
my $to = $family == 6 ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address))
                      : pack_sockaddr_in($port, inet_aton($address));
my $type = $what eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
socket(my $socket, $domain, $type, 0) or exit 255;
setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 0) if $family == 6;
my $done = $what eq 'send' ? send($socket, 'x', 0, $to) : connect($socket, $to);
exit($done ? 0 : $! + 0);
"#;

const EPERM: i32 = 1;

/// The errno that a process in the cgroup gets; nobody listens, which is not EPERM.
fn errno(own: &mut OwnCgroup, what: &str, family: &str, address: &str, port: &str) -> i32 {
    let arguments = ["-e", TRY, what, family, address, port];
    let process = own.spawn("perl", &arguments).id();
    own.wait(process).code().unwrap()
}

fn range(address: &str, prefix_length: u8, port: Option<u16>) -> AddressRange {
    AddressRange {
        address: address.parse().unwrap(),
        prefix_length,
        port,
    }
}

#[test]
fn denied_addresses_get_eperm_and_others_do_not() {
    let test = "denied_addresses_get_eperm_and_others_do_not";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut rules = CgroupRules::new();
    let traffic = TrafficRules {
        connect_deny: vec![
            range("127.7.0.0", 16, None),
            range("127.0.0.1", 32, Some(9)),
            range("::1", 128, None),
        ],
        ..TrafficRules::default()
    };
    let applied = rules.set_traffic(own.directory(V2), id(&own), &traffic);
    assert!(applied.unwrap().connect);
    let mut denied = 0;
    for (family, address, port, refused) in [
        ("4", "127.7.1.2", "1", true),
        ("4", "127.8.1.2", "1", false),
        ("4", "127.0.0.1", "9", true),
        ("4", "127.0.0.1", "10", false),
        // The kernel takes it for 127.0.0.1.
        ("4", "0.0.0.0", "9", true),
        ("6", "::1", "1", true),
        ("6", "::ffff:127.7.1.2", "1", true),
        ("6", "::ffff:127.8.1.2", "1", false),
    ] {
        for what in ["tcp", "udp", "send"] {
            let errno = errno(&mut own, what, family, address, port);
            assert_eq!(errno == EPERM, refused, "{what} {address}:{port}: {errno}");
            denied += u64::from(refused);
        }
    }
    let counted = rules.counters(own.directory(V2), id(&own)).unwrap();
    assert_eq!(counted.connect_denied, denied);

    rules.clear_traffic(own.directory(V2), id(&own)).unwrap();
    assert_ne!(errno(&mut own, "tcp", "6", "::1", "1"), EPERM);
}

#[test]
fn a_list_of_allowed_addresses_denies_all_others_below_too() {
    let test = "a_list_of_allowed_addresses_denies_all_others_below_too";
    if !installed(test, "perl") {
        return;
    }
    let Some(own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut rules = CgroupRules::new();
    let mut traffic = TrafficRules {
        connect_allow: vec![range("127.0.0.0", 8, None)],
        connect_deny: vec![range("127.0.0.2", 32, None)],
        ..TrafficRules::default()
    };
    rules
        .set_traffic(own.directory(V2), id(&own), &traffic)
        .unwrap();
    let mut below = own.nested("below");
    assert_ne!(errno(&mut below, "udp", "4", "127.0.0.1", "1"), EPERM);
    assert_eq!(errno(&mut below, "udp", "4", "127.0.0.2", "1"), EPERM);
    assert_eq!(errno(&mut below, "udp", "6", "::1", "1"), EPERM);
    // A changed list holds at once.
    traffic.connect_deny.clear();
    traffic.connect_allow.push(range("::1", 128, None));
    rules
        .set_traffic(own.directory(V2), id(&own), &traffic)
        .unwrap();
    assert_ne!(errno(&mut below, "udp", "4", "127.0.0.2", "1"), EPERM);
    assert_ne!(errno(&mut below, "udp", "6", "::1", "1"), EPERM);
}
