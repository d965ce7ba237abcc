#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::StreamExt;

use super::*;

fn push(log: &EventLog, kind: EventKind) {
    log.push(SystemTime::now(), None, None, kind);
}

fn exec() -> EventKind {
    EventKind::Exec {
        tgid: 1,
        comm: "true".into(),
    }
}

fn oom() -> EventKind {
    EventKind::OomKill {
        tgid: 1,
        comm: "hog".into(),
    }
}

fn since(sequence: u64, follow: bool) -> EventQuery {
    EventQuery {
        since: Some(Since::Sequence(sequence)),
        follow,
        filter: Filter::default(),
    }
}

/// `sequence` of each event, or `sequence-count` for a lost one.
fn numbers(lines: &[u8]) -> Vec<String> {
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Event>(line).unwrap());
    events
        .map(|event| match event.kind {
            EventKind::Lost { count, ring } => format!("{}: {ring} lost {count}", event.sequence),
            _ => event.sequence.to_string(),
        })
        .collect()
}

async fn all(log: &EventLog, query: EventQuery) -> Vec<String> {
    let lines = event_lines(log.clone(), query, CancellationToken::new());
    let chunks: Vec<_> = lines.map(|chunk| chunk.unwrap()).collect().await;
    numbers(&chunks.concat())
}

#[tokio::test]
async fn history_from_the_start_from_a_number_and_from_a_time() {
    let log = EventLog::new(10_000);
    for _ in 0..1_500 {
        push(&log, exec());
    }
    let expected: Vec<String> = (1..=1_500).map(|n| n.to_string()).collect();
    assert_eq!(all(&log, EventQuery::default()).await, expected);
    assert_eq!(all(&log, since(1_498, false)).await, ["1499", "1500"]);
    assert!(all(&log, since(1_500, false)).await.is_empty());
    let hour = EventQuery {
        since: Some(Since::Ago(Duration::from_secs(3_600))),
        ..EventQuery::default()
    };
    assert_eq!(all(&log, hour).await, expected);
}

#[tokio::test]
async fn a_number_of_an_earlier_agent_gives_everything() {
    let log = EventLog::new(10);
    push(&log, exec());
    assert_eq!(all(&log, since(9_000, false)).await, ["1"]);
}

#[tokio::test]
async fn forgotten_events_are_counted() {
    let log = EventLog::new(3);
    for _ in 0..10 {
        push(&log, exec());
    }
    assert_eq!(
        all(&log, since(2, false)).await,
        ["7: history lost 5", "8", "9", "10"]
    );
    assert_eq!(all(&log, EventQuery::default()).await, ["8", "9", "10"]);
    let log = EventLog::new(0);
    push(&log, exec());
    push(&log, exec());
    assert_eq!(all(&log, since(1, false)).await, ["2: history lost 1"]);
}

#[tokio::test]
async fn filters_let_losses_through() {
    let log = EventLog::new(10);
    push(&log, exec());
    push(&log, oom());
    let lost = EventKind::Lost {
        ring: "lifecycle".into(),
        count: 4,
    };
    push(&log, lost);
    let query = EventQuery {
        filter: std::iter::once("class=oom".parse().unwrap()).collect(),
        ..EventQuery::default()
    };
    assert_eq!(all(&log, query).await, ["2", "3: lifecycle lost 4"]);
}

#[tokio::test]
async fn a_follower_gets_history_then_live_without_seam_and_ends_when_told() {
    let log = EventLog::new(10);
    push(&log, exec());
    let stop = CancellationToken::new();
    let mut follower = Follower::new(log.clone(), since(0, true), stop.clone());
    push(&log, exec());
    assert_eq!(numbers(&follower.next_lines().await.unwrap()), ["1"]);
    push(&log, exec());
    assert_eq!(numbers(&follower.next_lines().await.unwrap()), ["2", "3"]);
    stop.cancel();
    assert!(follower.next_lines().await.is_none());
}

#[tokio::test]
async fn a_follower_without_since_starts_now() {
    let log = EventLog::new(10);
    push(&log, exec());
    let query = EventQuery {
        follow: true,
        ..EventQuery::default()
    };
    let mut follower = Follower::new(log.clone(), query, CancellationToken::new());
    push(&log, oom());
    assert_eq!(numbers(&follower.next_lines().await.unwrap()), ["2"]);
}

#[tokio::test]
async fn a_lagging_follower_is_told_exactly_what_it_lost() {
    let log = EventLog::new(2);
    let mut follower = Follower::new(log.clone(), since(0, true), CancellationToken::new());
    let pushed = 10_000;
    for _ in 0..pushed {
        push(&log, exec());
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&pushed.to_string()) {
        seen.extend(numbers(&follower.next_lines().await.unwrap()));
    }
    let (lost, rest) = seen.split_first().unwrap();
    let (sequence, count) = lost.split_once(": follower lost ").unwrap();
    assert_eq!(sequence, count);
    let first: u64 = count.parse::<u64>().unwrap() + 1;
    let expected: Vec<String> = (first..=pushed).map(|n| n.to_string()).collect();
    assert_eq!(rest, expected);
    assert!(first > 1);
}
