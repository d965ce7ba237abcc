//! Hosts on which others have rules of their own.

use super::world::{Container, OUTSIDE, Server, network, on_host, run};

/// All tables but ours, as nft lists them.
fn others() -> String {
    let tables = run("nft", "list tables");
    let others = tables.lines().filter(|table| !table.ends_with(" plimsoll"));
    others
        .map(|table| run("nft", &format!("list {table}")))
        .collect()
}

#[test]
fn others_tables_stay_as_they_are() {
    on_host("others_tables_stay_as_they_are", |host| {
        for command in [
            "add table ip filter",
            "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy accept ; }",
            "add rule ip filter FORWARD ip saddr 10.0.0.0/8 counter accept",
            "add table inet plimsoll2",
            "add chain inet plimsoll2 plimsoll { type nat hook prerouting priority -100 ; }",
            "add rule inet plimsoll2 plimsoll tcp dport 9999 counter redirect to :1",
            "add set inet plimsoll2 kept { type ipv4_addr ; elements = { 1.2.3.4 } ; }",
        ] {
            run("nft", command);
        }
        let (all, before) = (run("nft", "-j list ruleset"), others());
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        let web = Container::new("web");
        let endpoint = web.attach(&networks, "front", &["8080:80"]);
        assert_eq!(others(), before);
        let ours = run("nft", "list table inet plimsoll");
        assert!(
            ours.contains(&format!("8080 comment \"{}\"", web.id)),
            "{ours}"
        );
        networks.detach(&endpoint).unwrap();
        assert!(!run("nft", "list table inet plimsoll").contains(&web.id));
        networks.remove("front").unwrap();
        networks.retire().unwrap();
        assert_eq!(run("nft", "-j list ruleset"), all);
    });
}

#[test]
fn a_chain_that_drops_what_is_forwarded_is_named() {
    on_host("a_chain_that_drops_what_is_forwarded_is_named", |host| {
        run("nft", "add table ip filter");
        run(
            "nft",
            "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }",
        );
        run(
            "nft",
            "add chain ip filter INPUT { type filter hook input priority 0 ; policy drop ; }",
        );
        let networks = host.networks();
        assert_eq!(networks.warnings("bridge").len(), 1, "without names");
        let made = networks.create(&network("front", "10.90.0.0/24")).unwrap();
        let words = "chain FORWARD of nft table ip filter has policy drop";
        assert!(made.warning.contains(words), "{}", made.warning);
        let words = "chain INPUT of nft table ip filter has policy drop: names";
        assert!(made.warning.contains(words), "{}", made.warning);
        let web = Container::new("web");
        web.attach(&networks, "front", &[]);
        let _outside = Server::start(&host.outside, 80);
        assert_eq!(web.namespace.ask(OUTSIDE, 80), None, "it is true, too");
    });
}

#[test]
fn rules_that_were_flushed_come_back() {
    on_host("rules_that_were_flushed_come_back", |host| {
        let networks = host.networks();
        let web = Container::new("web");
        web.attach(&networks, "bridge", &["8080:80"]);
        let ours = run("nft", "list table inet plimsoll");
        run("nft", "flush ruleset");
        networks.reload_rules().unwrap();
        assert_eq!(run("nft", "list table inet plimsoll"), ours);
    });
}
