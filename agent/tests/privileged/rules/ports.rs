//! Bind rules, asked by system calls of a process in the cgroup.
#![allow(clippy::unwrap_used)]

use plimsoll::kernel::{CgroupRules, PortRange, TrafficRules};

use super::wire::id;
use crate::support::{OwnCgroup, V2, installed};

/// Arguments: family, port. Exit status: the errno, 0 for success.
const TRY: &str = r#"
use strict; use Socket qw(:all);
my ($family, $port) = @ARGV;
socket(my $socket, $family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0) or exit 255;
my $at = $family == 6 ? pack_sockaddr_in6($port, inet_pton(AF_INET6, '::1'))
                      : pack_sockaddr_in($port, inet_aton('127.0.0.1'));
exit(bind($socket, $at) ? 0 : $! + 0);
"#;

const EPERM: i32 = 1;

fn errno(own: &mut OwnCgroup, family: &str, port: &str) -> i32 {
    let process = own.spawn("perl", &["-e", TRY, family, port]).id();
    own.wait(process).code().unwrap()
}

fn ports(first: u16, last: u16) -> PortRange {
    PortRange { first, last }
}

#[test]
fn only_allowed_ports_are_bound() {
    let test = "only_allowed_ports_are_bound";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut rules = CgroupRules::new();
    let traffic = TrafficRules {
        bind_allow: vec![ports(48_000, 48_010)],
        bind_deny: vec![ports(48_005, 48_005)],
        ..TrafficRules::default()
    };
    let applied = rules.set_traffic(own.directory(V2), id(&own), &traffic);
    assert!(applied.unwrap().bind);
    let mut denied = 0;
    for family in ["4", "6"] {
        for (port, refused) in [
            ("48000", false),
            ("48010", false),
            ("47999", true),
            ("48011", true),
            ("48005", true),
            // Any free port: what every client asks for.
            ("0", false),
        ] {
            let errno = errno(&mut own, family, port);
            assert_eq!(errno == EPERM, refused, "{family} {port}: {errno}");
            denied += u64::from(refused);
        }
    }
    let counted = rules.counters(own.directory(V2), id(&own)).unwrap();
    assert_eq!(counted.bind_denied, denied);
    rules.clear_traffic(own.directory(V2), id(&own)).unwrap();
    assert_eq!(errno(&mut own, "4", "48011"), 0);
}
