//! Restart policies: how often, how soon, and until when.

use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, RestartPolicy, RestartPolicyNameEnum};
use plimsoll::engine::WaitCondition;

use super::harbour::Harbour;

fn with(
    mut body: ContainerCreateBody,
    name: RestartPolicyNameEnum,
    most: i64,
) -> ContainerCreateBody {
    body.host_config.as_mut().unwrap().restart_policy = Some(RestartPolicy {
        name: Some(name),
        maximum_retry_count: Some(most),
    });
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_with_growing_delays() {
    let Some(harbour) = Harbour::new("failures_are_tried_again_with_growing_delays") else {
        return;
    };
    let manned = harbour.man().await;
    let body = with(
        harbour.body("date +%s.%N; exit 9"),
        RestartPolicyNameEnum::ON_FAILURE,
        3,
    );
    let id = manned.engine.create(None, body).await.unwrap().id;
    let before = Instant::now();
    manned.engine.start(&id).await.unwrap();
    // The first end is one, as with Docker.
    let ended = manned.engine.wait(&id, WaitCondition::NotRunning).unwrap();
    assert_eq!(ended.await.unwrap().status_code, 9);
    assert!(manned.inspect(&id).await.restart_count < Some(3));
    manned
        .until(&id, "its last end", |now| {
            let state = now.state.as_ref().unwrap();
            state.running == Some(false) && state.restarting == Some(false)
        })
        .await;
    // 100 + 200 + 400 ms.
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(700), "{took:?}");
    // Not the delays of later restarts; a start may take its time on a busy host.
    assert!(took < Duration::from_secs(20), "{took:?}");
    let now = manned.inspect(&id).await;
    assert_eq!(now.restart_count, Some(3));
    assert_eq!(now.state.unwrap().restarting, Some(false));
    let log = harbour
        .directory
        .join(format!("data/containers/{id}/{id}-json.log"));
    let runs = std::fs::read_to_string(log).unwrap().lines().count();
    assert_eq!(runs, 4, "once, and three times again");
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_cut_short_by_stop_kill_and_remove() {
    let Some(harbour) = Harbour::new("a_delay_is_cut_short_by_stop_kill_and_remove") else {
        return;
    };
    let manned = harbour.man().await;
    let always = || with(harbour.body("exit 1"), RestartPolicyNameEnum::ALWAYS, 0);
    let ids = [manned.run(always()).await, manned.run(always()).await];
    let is_late = |now: &bollard::models::ContainerInspectResponse| {
        now.restart_count >= Some(5) && now.state.as_ref().unwrap().restarting == Some(true)
    };
    let mut counts = Vec::new();
    for (id, is_killed) in [(&ids[0], false), (&ids[1], true)] {
        manned.until(id, "a long delay", is_late).await;
        let before = Instant::now();
        match is_killed {
            true => manned.engine.kill(id, None).await.unwrap(),
            false => manned.engine.stop(id, None, None).await.unwrap(),
        }
        assert!(before.elapsed() < Duration::from_secs(1));
        assert_eq!(manned.status(id).await, "exited");
        counts.push(manned.inspect(id).await.restart_count);
    }
    // They would have been started again by now.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for (id, count) in ids.iter().zip(counts) {
        assert_eq!(manned.inspect(id).await.restart_count, count);
    }
    let id = &ids[0];
    // A start begins anew.
    manned.engine.start(id).await.unwrap();
    manned
        .until(id, "a restart", |now| now.restart_count >= Some(2))
        .await;
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_starts_what_was_not_stopped() {
    let Some(harbour) = Harbour::new("the_next_agent_starts_what_was_not_stopped") else {
        return;
    };
    let manned = harbour.man().await;
    let policy = RestartPolicyNameEnum::UNLESS_STOPPED;
    let stopped = manned
        .run(with(harbour.body("sleep 1000"), policy, 0))
        .await;
    let killed = manned
        .run(with(harbour.body("sleep 1000"), policy, 0))
        .await;
    let once = manned.run(harbour.body("sleep 1000")).await;
    manned.engine.stop(&stopped, None, Some(0)).await.unwrap();
    let mut pids = Vec::new();
    for id in [&killed, &once] {
        pids.push(manned.inspect(id).await.state.unwrap().pid.unwrap());
    }
    manned.leave().await;
    for pid in pids {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    let manned = harbour.man().await;
    manned
        .until(&killed, "a restart", |now| {
            now.restart_count == Some(1) && now.state.as_ref().unwrap().running == Some(true)
        })
        .await;
    manned
        .until(&once, "its end", |now| {
            now.state.as_ref().unwrap().exit_code == Some(137)
        })
        .await;
    assert_eq!(manned.status(&once).await, "exited");
    assert_eq!(manned.status(&stopped).await, "exited");
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_ends_it_is_its_end_unless_another_is_named() {
    let Some(harbour) = Harbour::new("a_signal_that_ends_it_is_its_end_unless_another_is_named")
    else {
        return;
    };
    let manned = harbour.man().await;
    let line = "trap 'exit 5' INT; touch /ready; while :; do sleep 0.01; done";
    for (stop_signal, count) in [(None, 0), (Some("SIGQUIT".to_owned()), 1)] {
        let body = ContainerCreateBody {
            stop_signal,
            ..with(harbour.body(line), RestartPolicyNameEnum::ALWAYS, 0)
        };
        let id = manned.run(body).await;
        super::eventually("its trap", async || {
            let ready = manned.engine.archive_stat(&id, "/ready").await;
            ready.is_ok().then_some(())
        })
        .await;
        let ended = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
        manned.engine.kill(&id, Some("INT")).await.unwrap();
        ended.await.unwrap();
        manned
            .until(&id, "what follows", |now| {
                let state = now.state.as_ref().unwrap();
                now.restart_count == Some(count)
                    && state.restarting == Some(false)
                    && state.running == Some(count > 0)
            })
            .await;
    }
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_starts_what_is_joined_first() {
    let Some(harbour) = Harbour::new("the_next_agent_starts_what_is_joined_first") else {
        return;
    };
    let manned = harbour.man().await;
    let always = || with(harbour.body("sleep 1000"), RestartPolicyNameEnum::ALWAYS, 0);
    let joined = manned.run(always()).await;
    let mut ids = vec![joined.clone()];
    for _ in 0..3 {
        let mut body = always();
        let mode = format!("container:{joined}");
        body.host_config.as_mut().unwrap().network_mode = Some(mode);
        ids.push(manned.run(body).await);
    }
    for id in &ids {
        manned.engine.stop(id, None, Some(0)).await.unwrap();
    }
    manned.leave().await;
    let manned = harbour.man().await;
    for id in &ids {
        manned
            .until(id, "its start", |now| {
                now.state.as_ref().unwrap().running == Some(true)
            })
            .await;
    }
    manned.clear().await;
}
