//! An agent that is killed at any point of attaching and detaching leaves nothing that the next does not find.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use plimsoll::engine::network::Networks;

use super::world::{Container, interfaces, network, on_host, run};
use crate::support::poll;

const TEST: &str = "networks::kills::an_agent_killed_at_any_point_leaves_nothing";
/// Set for the one that is to be killed: the state's directory, and containers' namespaces.
const VICTIM: &str = "PLIMSOLL_TEST_NETWORKS_VICTIM";
/// The victim makes this file when it begins.
const READY: &str = "ready";
const KILLS: u32 = 50;

#[test]
fn an_agent_killed_at_any_point_leaves_nothing() {
    if let Ok(orders) = std::env::var(VICTIM) {
        return attach_and_detach(&orders);
    }
    on_host("an_agent_killed_at_any_point_leaves_nothing", |host| {
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        drop(networks);
        let containers = [Container::new("web"), Container::new("peer")];
        let paths = containers
            .iter()
            .map(|one| format!(",{}", one.namespace.path().display()));
        let orders: String = std::iter::once(host.directory.path().display().to_string())
            .chain(paths)
            .collect();
        let before = interfaces();
        let rules = || run("nft", "list ruleset");
        let without = {
            let networks = host.networks();
            networks.reap(&BTreeSet::new()).unwrap();
            rules()
        };
        let mut caught = 0;
        for round in 0..KILLS {
            let mut victim = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", TEST, "--nocapture"])
                .env(VICTIM, &orders)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let ready = host.directory.path().join(READY);
            poll("the victim", || ready.exists().then_some(()));
            std::fs::remove_file(&ready).unwrap();
            // Each at another point of what takes some milliseconds.
            let pause = round.wrapping_mul(2_654_435_761) % 45_000;
            std::thread::sleep(Duration::from_micros(pause.into()));
            victim.kill().unwrap();
            assert!(
                !victim.wait().unwrap().success(),
                "it attaches and detaches until it is killed"
            );

            let networks = host.networks();
            let reaped = networks.reap(&BTreeSet::new()).unwrap();
            caught += u32::from(!reaped.endpoints.is_empty());
            assert_eq!(interfaces(), before, "round {round}");
            assert_eq!(rules(), without, "round {round}");
            for name in ["bridge", "front"] {
                assert!(
                    networks
                        .inspect(name)
                        .unwrap()
                        .containers
                        .unwrap()
                        .is_empty(),
                    "round {round}"
                );
            }
            // Whatever it had is free.
            let web = Container::new("web");
            let endpoint = web.attach(&networks, "front", &["8080:80", "8081:80"]);
            networks.detach(&endpoint).unwrap();
        }
        assert!(
            caught > KILLS / 5,
            "only {caught} were killed with something in hand"
        );
    });
}

/// For ever.
fn attach_and_detach(orders: &str) {
    let mut orders = orders.split(',');
    let directory = Path::new(orders.next().unwrap());
    let networks = Networks::open(directory).unwrap();
    std::fs::write(directory.join(READY), "").unwrap();
    let paths: Vec<_> = orders.collect();
    loop {
        for (port, path) in (8080..).zip(&paths) {
            let container = Container::new("victim");
            let id = format!("{port}-0123456789abcdef");
            let wish = container.wish(&[&format!("{port}:80")]);
            let endpoint = networks.attach("front", &id, path.as_ref(), &wish).unwrap();
            networks.detach(&endpoint).unwrap();
        }
    }
}
