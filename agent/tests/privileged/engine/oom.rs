//! A container that takes more memory than it has.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, RestartPolicy, RestartPolicyNameEnum};
use plimsoll::engine::WaitCondition;

use super::harbour::Harbour;
use crate::support::skip;

/// Of memory and swap together.
const LIMIT: i64 = 16 << 20;
/// A line without an end is kept in memory.
const GREEDY: &str = "tail /dev/zero";

fn limited(harbour: &Harbour, line: &str) -> ContainerCreateBody {
    let mut body = harbour.body(line);
    let host = body.host_config.as_mut().unwrap();
    host.memory = Some(LIMIT);
    host.memory_swap = Some(LIMIT);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oom_kill_is_told_and_forgotten_with_the_next_start() {
    let test = "an_oom_kill_is_told_and_forgotten_with_the_next_start";
    let Some(harbour) = Harbour::new(test) else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let mut heard = engine.events().subscribe();
    // The first process itself, then another of it; then none, of the same container.
    let script = format!(
        "[ -e /twice ] && exit 0; [ -e /once ] && {{ touch /twice; {GREEDY}; exit 3; }}; \
                          touch /once; exec {GREEDY}"
    );
    let id = engine
        .create(None, limited(&harbour, &script))
        .await
        .unwrap()
        .id;
    for (code, oom_killed) in [(137, true), (3, true), (0, false)] {
        let exit = engine.wait(&id, WaitCondition::NextExit).unwrap();
        if let Err(error) = engine.start(&id).await {
            skip(test, &error.with_causes());
            return manned.clear().await;
        }
        assert_eq!(exit.await.unwrap().status_code, code);
        let state = manned.inspect(&id).await.state.unwrap();
        assert_eq!(
            (state.exit_code, state.oom_killed),
            (Some(code), Some(oom_killed))
        );
        assert_eq!(manned.status(&id).await, "exited");
    }
    let mut told = Vec::new();
    while told.len() < 5 {
        let event = tokio::time::timeout(Duration::from_secs(30), heard.recv());
        let action = event.await.unwrap().unwrap().action;
        told.extend(action.filter(|action| matches!(action.as_str(), "oom" | "die")));
    }
    assert_eq!(told, ["oom", "die", "oom", "die", "die"]);

    // By the next agent, too; and a restart policy takes it for the failure that it is.
    let mut body = limited(
        &harbour,
        &format!("[ -e /once ] && exec sleep 1000; touch /once; sleep 0.3; exec {GREEDY}"),
    );
    body.host_config.as_mut().unwrap().restart_policy = Some(RestartPolicy {
        name: Some(RestartPolicyNameEnum::ON_FAILURE),
        maximum_retry_count: Some(1),
    });
    let again = manned.run(body).await;
    let alone = manned
        .run(limited(&harbour, &format!("sleep 0.3; exec {GREEDY}")))
        .await;
    manned.leave().await;
    let manned = harbour.man().await;
    manned
        .until(&again, "a restart", |now| {
            now.restart_count == Some(1) && now.state.as_ref().unwrap().running == Some(true)
        })
        .await;
    manned
        .until(&alone, "its end", |now| {
            now.state.as_ref().unwrap().exit_code == Some(137)
        })
        .await;
    let state = manned.inspect(&alone).await.state.unwrap();
    assert_eq!(state.oom_killed, Some(true));
    manned.clear().await;
}
