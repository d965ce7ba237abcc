use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn subnets_are_chosen_in_dockers_order() {
    assert_eq!(choose(&[]).unwrap(), net("172.17.0.0/16"));
    assert_eq!(
        choose(&[net("172.17.3.0/24")]).unwrap(),
        net("172.18.0.0/16")
    );
    assert_eq!(
        choose(&[net("172.16.0.0/12")]).unwrap(),
        net("192.168.0.0/20")
    );
    let taken = [net("172.16.0.0/12"), net("192.168.1.0/24")];
    assert_eq!(choose(&taken).unwrap(), net("192.168.16.0/20"));
    let all = [net("172.16.0.0/12"), net("192.168.0.0/16")];
    assert!(matches!(choose(&all), Err(NetworkError::PoolsExhausted)));
}

#[test]
fn addresses_come_one_after_the_other() {
    let pool = Pool::whole(net("172.17.0.0/16"));
    assert_eq!(pool.gateway, ip("172.17.0.1"));
    let mut used = BTreeSet::new();
    let first = pool.next(None, &used).unwrap();
    assert_eq!(first, ip("172.17.0.2"));
    used.insert(first);
    assert_eq!(pool.next(Some(first), &used).unwrap(), ip("172.17.0.3"));
    // Freed, and still not given again at once.
    assert_eq!(
        pool.next(Some(first), &BTreeSet::new()).unwrap(),
        ip("172.17.0.3")
    );
    // After the last comes the first.
    assert_eq!(
        pool.next(Some(ip("172.17.255.254")), &used).unwrap(),
        ip("172.17.0.3")
    );
}

#[test]
fn a_small_subnet_is_used_up_to_the_last_address() {
    let mut pool = Pool::whole(net("10.9.0.0/29"));
    pool.auxiliary.insert("printer".into(), ip("10.9.0.4"));
    let mut used = BTreeSet::new();
    let mut last = None;
    while let Some(address) = pool.next(last, &used) {
        used.insert(address);
        last = Some(address);
    }
    let expected = ["10.9.0.2", "10.9.0.3", "10.9.0.5", "10.9.0.6"].map(ip);
    assert_eq!(used, BTreeSet::from(expected));
}

#[test]
fn a_range_bounds_what_is_given() {
    let mut pool = Pool::whole(net("10.9.0.0/24"));
    pool.range = Some(net("10.9.0.128/30"));
    let used = BTreeSet::from(["10.9.0.128", "10.9.0.129", "10.9.0.131"].map(ip));
    assert_eq!(
        pool.next(Some(ip("10.9.0.131")), &used),
        Some(ip("10.9.0.130"))
    );
    assert!(pool.offers(ip("10.9.0.7")), "on request");
    assert!(!pool.offers(ip("10.9.0.255")));
    assert!(!pool.offers(ip("10.9.1.7")));
}

#[test]
fn ipv6_pools_have_addresses_too() {
    let subnet = unique_local(&[7; 32]);
    assert_eq!(subnet, net("fd07:707:707:707::/64"));
    let pool = Pool::whole(subnet);
    assert_eq!(
        pool.next(None, &BTreeSet::new()),
        Some(ip("fd07:707:707:707::2"))
    );
}

proptest! {
    #[test]
    fn a_given_address_is_free_and_in_the_pool(
        prefix in 20_u8..=30, last in any::<u32>(), used in prop::collection::btree_set(0_u32..64, 0..64)
    ) {
        let pool = Pool::whole(IpNet::new(ip("10.9.0.0"), prefix).unwrap());
        let used: BTreeSet<IpAddr> = used.into_iter().map(|low| at(pool.subnet, low.into())).collect();
        let free = pool.subnet.hosts().any(|host| !used.contains(&host) && host != pool.gateway);
        let last = at(pool.subnet, u128::from(last % (1 << (32 - prefix))));
        let given = pool.next(Some(last), &used);
        prop_assert_eq!(given.is_some(), free);
        if let Some(given) = given {
            prop_assert!(pool.offers(given) && !pool.reserves(given) && !used.contains(&given));
        }
    }
}
