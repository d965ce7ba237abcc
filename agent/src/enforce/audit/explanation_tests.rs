use std::time::Duration;

use super::*;
use crate::enforce::Outcome;
use crate::enforce::audit::tests::{noon, record};

fn held(action: u64) -> Held {
    Held {
        what: "memory.max 536870912".into(),
        original: Some("memory.max max".into()),
        claimant: record(1).claimant,
        since: noon(),
        until: None,
        action,
        evidence: None,
        caveats: Vec::new(),
        behind: Vec::new(),
    }
}

fn answer(records: Vec<Record>) -> Answer {
    Answer {
        records: records.into_iter().map(Arc::new).collect(),
        ..Answer::default()
    }
}

#[test]
fn what_is_held_has_the_evidence_of_its_action() {
    let mut frozen = held(99);
    frozen.what = "cgroup.freeze 1".into();
    frozen.original = None;
    frozen.claimant = Claimant::Operator;
    frozen.until = Some(noon() + Duration::from_secs(10));
    frozen.behind = vec![record(1).claimant];
    let mut seventh = record(7);
    seventh.caveats = vec!["swap counts too".into()];
    let explanation = Explanation::new(
        "/docker/4f",
        "web",
        vec![held(7), frozen],
        answer(vec![record(6), seventh.clone()]),
    );
    let lines = explanation.lines();
    assert_eq!(
        lines,
        [
            "web (/docker/4f)",
            "in force:",
            "  memory.max 536870912 (was memory.max max), by batch/thrash, \
             since 2026-11-21T12:04:11Z, action 7",
            "    because memory.full above 20%: 34%, for 3s",
            "    but swap counts too",
            "  cgroup.freeze 1, by operator, since 2026-11-21T12:04:11Z, action 99, \
             until 2026-11-21T12:04:21Z at most",
            "    next in line: batch/thrash",
            "last decisions:",
            &format!("  {}", summary(&record(6))),
            &format!("  {}", summary(&seventh)),
        ]
    );
}

#[test]
fn refusals_are_told_where_nothing_is_held() {
    let mut refused = record(3);
    refused.outcome = Outcome::Refused("it is an ancestor of the agent".into());
    let explanation = Explanation::new("/x", "/x", Vec::new(), answer(vec![refused]));
    let lines = explanation.lines();
    assert_eq!(lines[..2], ["/x", "in force: no limit"]);
    assert!(
        lines[3].ends_with("refused: it is an ancestor of the agent"),
        "{lines:?}"
    );
    let nothing = Explanation::new("/x", "/x", Vec::new(), Answer::default());
    assert_eq!(nothing.lines()[2], "decisions: none");
}

#[test]
fn what_it_was_made_with_is_in_force_too() {
    let mut weight = held(8);
    weight.what = "cpu.shares 512".into();
    let disk = |minor| crate::cgroup::DeviceNumber { major: 8, minor };
    let caps = crate::cgroup::IoCaps {
        rbps: Some(1_024),
        ..Default::default()
    };
    weight.evidence = None;
    let mut capped = held(9);
    capped.what = format!("{}", Setting::IoMax(disk(0), caps));
    let explanation = Explanation::new("/x", "/x", vec![weight, capped], Answer::default());
    let limits = [
        Setting::CpuShares(512),
        Setting::MemoryMax(Some(64 << 20)),
        Setting::IoMax(disk(0), caps),
        Setting::IoMax(disk(16), caps),
    ];
    let lines = explanation.beside("plimsoll run", &limits).lines();
    let besides: Vec<_> = lines
        .iter()
        .filter(|line| line.ends_with("by plimsoll run"))
        .collect();
    assert_eq!(
        besides,
        [
            "  memory.max 67108864, by plimsoll run",
            "  io.max 8:16 rbps=1024 wbps=max riops=max wiops=max, by plimsoll run",
        ]
    );
}
