#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use super::*;
use crate::cgroup::{Control, Layout, Placement};
use crate::config::AuditConfig;
use crate::enforce::Outcome;
use crate::identity::Runtime;
use crate::policy::Mode;

/// What its receivers read.
const PAGE: &str = include_str!("../../../../../docs/notifications.md");

/// 2026-11-21T12:04:11Z
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_262_651)
}

fn claimant() -> Claimant {
    Claimant::Policy {
        policy: "batch".into(),
        rule: Some("thrash".into()),
        priority: 10,
    }
}

fn evidence() -> Evidence {
    Evidence {
        condition: "memory.full above 20%".into(),
        observed: "34%".into(),
        at: noon(),
        read: Instant::now(),
        held: Duration::from_secs(3),
    }
}

/// Of no cgroup.
fn control() -> Control {
    Control::open(&Layout::from_hierarchies(Vec::new()), &Placement::default())
}

fn errand() -> Errand {
    let identity = Identity {
        id: "/docker/4f".into(),
        runtime: Runtime::Docker,
        kind: crate::identity::Kind::Container,
        container_id: Some("4f".into()),
        name: Some("web".into()),
        image: Some("shop/web:7".into()),
        labels: [("tier".to_owned(), "batch".to_owned())].into(),
        ..Identity::default()
    };
    Errand {
        id: 42,
        time: noon(),
        claimant: claimant(),
        identity: Arc::new(identity),
        control: Arc::new(control()),
        once: Once::Notify {
            webhook: None,
            command: None,
            timeout: Duration::from_secs(2),
        },
        evidence: evidence(),
    }
}

/// Action `id`, so many seconds after the condition began to hold.
fn record(id: u64, after: i64) -> Record {
    let began = noon() - evidence().held;
    let distance = Duration::from_secs(after.unsigned_abs());
    Record {
        id,
        time: if after < 0 {
            began - distance
        } else {
            began + distance
        },
        claimant: claimant(),
        workload: "/docker/4f".into(),
        name: "web".into(),
        mode: Mode::Enforce,
        step: Step::Once(Once::Reclaim { bytes: 67_108_864 }),
        outcome: Outcome::Done,
        before: Some("memory.current 536870912".into()),
        after: Some("memory.current 469762048".into()),
        caveats: Vec::new(),
        evidence: evidence(),
        took: Duration::from_millis(3),
    }
}

fn audit(records: impl IntoIterator<Item = Record>) -> Audit {
    let config = AuditConfig {
        path: "".into(),
        ..AuditConfig::default()
    };
    let audit = Audit::start(&config).unwrap();
    for record in records {
        audit.push(Arc::new(record));
    }
    audit
}

pub(in crate::enforce::once::notify) fn notification() -> Notification {
    Notification::of(&errand(), &audit([]))
}

#[test]
fn the_page_shows_what_is_sent() {
    let mut refused = record(41, 2);
    refused.step = Step::Once(Once::Kill {
        scope: crate::policy::Process::Cgroup,
        signal: 15,
        grace: Duration::from_secs(5),
        escalate: Some(9),
    });
    refused.outcome = Outcome::Refused("three kills this hour are enough".into());
    (refused.before, refused.after) = (None, None);
    let mut told = Notification::of(&errand(), &audit([record(40, 1), refused]));
    assert_eq!(told.host, host());
    assert!(!told.host.is_empty());
    told.host = "node-1".into();
    let sent = serde_json::to_value(&told).unwrap();
    let (_, example) = PAGE.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert_eq!(sent, serde_json::from_str::<Value>(example).unwrap());
}

#[test]
fn the_page_names_every_field() {
    let told = Notification::of(&errand(), &audit([record(40, 1)]));
    let sent = serde_json::to_value(&told).unwrap();
    for (prefix, object) in [
        ("", &sent),
        ("workload.", &sent["workload"]),
        ("evidence.", &sent["evidence"]),
        ("actions[].", &sent["actions"][0]),
    ] {
        for field in object.as_object().unwrap().keys() {
            assert!(
                PAGE.contains(&format!("| `{prefix}{field}` |")),
                "{prefix}{field}"
            );
        }
    }
}

#[test]
fn only_what_this_rule_did_about_this_condition_is_told() {
    let mut other_rule = record(2, 1);
    other_rule.claimant = Claimant::Operator;
    let mut other_workload = record(3, 1);
    other_workload.workload = "/docker/5e".into();
    let before = record(1, -1);
    let told = Notification::of(
        &errand(),
        &audit([
            before,
            other_rule,
            other_workload,
            record(4, 0),
            record(5, 2),
        ]),
    );
    let ids: Vec<u64> = told.actions.iter().map(|action| action.id).collect();
    assert_eq!(ids, [4, 5]);
}

#[test]
fn an_operators_doing_has_no_policy() {
    let mut errand = errand();
    errand.claimant = Claimant::Operator;
    let identity = Identity {
        name: None,
        ..(*errand.identity).clone()
    };
    errand.identity = Arc::new(identity);
    let told = Notification::of(&errand, &audit([]));
    assert_eq!((told.policy, told.rule), (None, None));
    assert_eq!(told.workload.name, "/docker/4f");
    assert_eq!(told.text, "/docker/4f: memory.full above 20%: 34%, for 3s");
}
