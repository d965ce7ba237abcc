//! The agent killed at any point, again and again: what was done is done, what was not is gone.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use plimsoll::engine::{ListQuery, RemoveOptions};

use super::harbour::{Harbour, Manned};
use crate::support::poll;

const KILLS: u32 = 100;
/// What a child is told: the harbour's directory and parent cgroup.
const CHILD: &str = "PLIMSOLL_TEST_ENGINE_CHILD";
const SEPARATOR: char = '|';

/// The agent that is killed: creates, starts, stops and removes as fast as it can, and says what is done.
#[tokio::test(flavor = "multi_thread")]
async fn agent_of_the_kills() {
    let Ok(text) = std::env::var(CHILD) else {
        // Not asked for.
        return;
    };
    let (directory, parent) = text.split_once(SEPARATOR).unwrap();
    let harbour = Harbour::of(directory.as_ref(), parent);
    let manned = harbour.man().await;
    println!("manned");
    for round in 0.. {
        let body = body(&harbour, round);
        let engine = &manned.engine;
        let name = format!("n{round}-{}", std::process::id());
        let id = engine.create(Some(name), body).await.unwrap().id;
        println!("created {id}");
        engine.start(&id).await.unwrap();
        println!("started {id}");
        if round % 3 == 0 {
            continue;
        }
        if round % 3 == 1 {
            println!("stopping {id}");
            engine.stop(&id, None, Some(0)).await.unwrap();
            println!("stopped {id}");
        }
        println!("removing {id}");
        let options = RemoveOptions {
            force: true,
            volumes: true,
        };
        engine.remove(&id, options).await.unwrap();
        println!("removed {id}");
    }
}

fn body(harbour: &Harbour, round: u32) -> ContainerCreateBody {
    let mut body = harbour.body("sleep 1000");
    // One of two with a terminal: its shim has more to do.
    body.tty = Some(round.is_multiple_of(2));
    body
}

/// The last thing that was said of each.
fn said(lines: &[String]) -> Vec<(String, String)> {
    let mut last: Vec<(String, String)> = Vec::new();
    for line in lines {
        let Some((what, id)) = line.split_once(' ') else {
            continue;
        };
        if id.len() != 64 {
            continue;
        }
        last.retain(|(_, other)| other != id);
        last.push((what.to_owned(), id.to_owned()));
    }
    last
}

async fn compare(manned: &Manned, said: &[(String, String)], round: u32) {
    for (what, id) in said {
        let state = manned.engine.inspect(id, false).await;
        let status = state
            .ok()
            .map(|now| now.state.unwrap().status.unwrap().to_string());
        let status = status.as_deref();
        let fine = match what.as_str() {
            // The verb that followed may have been done, and not been said.
            "created" => matches!(status, Some("created" | "running")),
            "started" => status == Some("running"),
            "stopping" => matches!(status, Some("running" | "exited")),
            "stopped" => status == Some("exited"),
            "removing" => matches!(status, None | Some("running" | "exited" | "removing")),
            "removed" => status.is_none(),
            _ => true,
        };
        assert!(fine, "round {round}: {what} {id}, and it is {status:?}");
    }
}

/// Does what the engine says agree with what is on the host?
async fn agree(harbour: &Harbour, manned: &Manned, query: &ListQuery) -> Result<(), String> {
    let all = manned.engine.list(query.clone()).await.unwrap();
    let running = all
        .iter()
        .filter(|one| one.state == Some(bollard::models::ContainerSummaryStateEnum::RUNNING));
    let running: Vec<_> = running.map(|one| one.id.clone().unwrap()).collect();
    let mut unknown = harbour.leftovers();
    unknown.retain(|line| {
        !line.starts_with("/proc/") && !running.iter().any(|id| line.contains(id.as_str()))
    });
    let processes = harbour.processes();
    if unknown.is_empty() && processes.len() == running.len() {
        return Ok(());
    }
    Err(format!(
        "one `sleep` each of {running:?}: {processes:#?}; left over: {unknown:#?}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_at_any_point_loses_and_leaves_nothing() {
    let Some(harbour) = Harbour::new("an_agent_killed_at_any_point_loses_and_leaves_nothing")
    else {
        return;
    };
    let begin = Instant::now();
    let mut known = 0;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "engine::kills::agent_of_the_kills",
                "--nocapture",
            ])
            .env(
                CHILD,
                format!(
                    "{}{SEPARATOR}{}",
                    harbour.directory.display(),
                    harbour.parent
                ),
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader =
            std::thread::spawn(move || stdout.lines().map_while(Result::ok).collect::<Vec<_>>());
        // At another point each time; while it takes over, too.
        let pause = 20 + u64::from(round.wrapping_mul(2_654_435_761) % 180);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let said = said(&reader.join().unwrap());
        known += said.len();

        let manned = harbour.man().await;
        let query = ListQuery {
            all: true,
            ..ListQuery::default()
        };
        // Removals that had begun are finished.
        super::eventually("the end of removals", async || {
            let all = manned.engine.list(query.clone()).await.unwrap();
            let left = all
                .iter()
                .any(|one| one.state == Some(bollard::models::ContainerSummaryStateEnum::REMOVING));
            (!left).then_some(())
        })
        .await;
        compare(&manned, &said, round).await;
        // What had just been killed is seen to end.
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(wrong) = agree(&harbour, &manned, &query).await {
            assert!(
                Instant::now() < deadline,
                "round {round}: {wrong}, {said:#?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        manned.clear().await;
        poll("the end of all shims", || {
            (harbour.shims() == 0).then_some(())
        });
        let left = harbour.leftovers();
        assert!(left.is_empty(), "round {round}: {left:#?}");
    }
    eprintln!(
        "{KILLS} kills, {known} containers, {:?} each",
        begin.elapsed() / KILLS
    );
    assert!(known > 0, "some got as far as that");
}
