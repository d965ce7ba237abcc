//! Ended by a verb: stop, restart, kill.

use bollard::models::ContainerCreateBody;
use plimsoll::engine::{ErrorKind, WaitCondition};

use super::harbour::Harbour;

#[tokio::test(flavor = "multi_thread")]
async fn stop_asks_and_then_kills() {
    let Some(harbour) = Harbour::new("stop_asks_and_then_kills") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let polite = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let id = manned.run(harbour.body(polite)).await;
    wait_for_output(&harbour, &id).await;
    engine.stop(&id, None, None).await.unwrap();
    assert_eq!(manned.inspect(&id).await.state.unwrap().exit_code, Some(5));
    let again = engine.stop(&id, None, None).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotModified);

    // Process 1 of a pid namespace ignores what it has no handler for.
    let id = manned.run(harbour.body("sleep 1000")).await;
    let before = std::time::Instant::now();
    engine.stop(&id, None, Some(1)).await.unwrap();
    let took = before.elapsed().as_secs_f64();
    assert!((1.0..3.0).contains(&took), "{took}");
    assert_eq!(
        manned.inspect(&id).await.state.unwrap().exit_code,
        Some(137)
    );
    let error = engine.kill(&id, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("Container {id} is not running"));
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_stopped_as_it_asks_for() {
    let Some(harbour) = Harbour::new("a_container_is_stopped_as_it_asks_for") else {
        return;
    };
    let manned = harbour.man().await;
    let by_its_signal = ContainerCreateBody {
        stop_signal: Some("USR1".to_owned()),
        ..harbour.body("trap 'exit 5' USR1; echo ready; while :; do sleep 0.01; done")
    };
    let at_once = ContainerCreateBody {
        stop_timeout: Some(0),
        ..harbour.body("trap '' TERM; echo ready; while :; do sleep 0.01; done")
    };
    for (body, code) in [(by_its_signal, 5), (at_once, 137)] {
        let id = manned.run(body).await;
        wait_for_output(&harbour, &id).await;
        let before = std::time::Instant::now();
        manned.engine.stop(&id, None, None).await.unwrap();
        let took = before.elapsed().as_secs_f64();
        assert!(took < 5.0, "{took}");
        let state = manned.inspect(&id).await.state.unwrap();
        assert_eq!(state.exit_code, Some(code));
    }
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_remove_what_goes_with_its_end() {
    let Some(harbour) = Harbour::new("a_restart_does_not_remove_what_goes_with_its_end") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let mut body = harbour.body("trap 'exit 3' TERM; while :; do sleep 0.05; done");
    body.host_config.as_mut().unwrap().auto_remove = Some(true);
    let id = engine.create(None, body).await.unwrap().id;
    engine.start(&id).await.unwrap();
    let pid = async || manned.inspect(&id).await.state.unwrap().pid;
    let before = pid().await;
    engine.restart(&id, None, None).await.unwrap();
    assert_ne!(pid().await, before);
    assert_eq!(manned.inspect(&id).await.state.unwrap().running, Some(true));
    let removed = engine.wait(&id, WaitCondition::Removed).unwrap();
    engine.stop(&id, None, Some(0)).await.unwrap();
    removed.await.unwrap();
    let error = engine.inspect(&id, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_has_ended() {
    let Some(harbour) = Harbour::new("one_that_was_killed_has_ended") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned.run(harbour.body("sleep 1000")).await;
    for _ in 0..5 {
        manned.engine.kill(&id, None).await.unwrap();
        assert_eq!(manned.status(&id).await, "exited");
        manned.engine.start(&id).await.unwrap();
    }
    assert_eq!(manned.status(&id).await, "running");
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_hears_what_is_to_end_it() {
    let Some(harbour) = Harbour::new("what_is_frozen_hears_what_is_to_end_it") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let polite = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = manned.run(harbour.body(polite)).await;
        wait_for_output(&harbour, &id).await;
        ids.push(id);
    }
    // By others: a policy, an operator.
    let cgroups = harbour.cgroups(&ids[0]);
    let has = |file: &str| {
        cgroups
            .iter()
            .map(|one| one.join(file))
            .find(|it| it.exists())
    };
    // On hybrid hosts v1's is the freezer.
    match (has("freezer.state"), has("cgroup.freeze")) {
        (Some(v1), _) => std::fs::write(v1, "FROZEN").unwrap(),
        (None, v2) => std::fs::write(v2.unwrap(), "1").unwrap(),
    }
    crate::engine::eventually("a frozen one", async || {
        let frozen = cgroups.iter().any(|directory| {
            let text = |file| std::fs::read_to_string(directory.join(file));
            text("freezer.state").is_ok_and(|state| state == "FROZEN\n")
                || text("cgroup.events").is_ok_and(|events| events.contains("frozen 1"))
        });
        frozen.then_some(())
    })
    .await;
    engine.pause(&ids[1]).await.unwrap();
    engine.stop(&ids[0], None, Some(20)).await.unwrap();
    engine.kill(&ids[1], Some("TERM")).await.unwrap();
    manned
        .until(&ids[1], "its end", |now| {
            now.state.as_ref().unwrap().running == Some(false)
        })
        .await;
    for id in &ids {
        let state = manned.inspect(id).await.state.unwrap();
        assert_eq!((state.exit_code, state.paused), (Some(5), Some(false)));
    }
    manned.clear().await;
}

async fn wait_for_output(harbour: &Harbour, id: &str) {
    let log = harbour
        .directory
        .join("data/containers")
        .join(id)
        .join(format!("{id}-json.log"));
    crate::engine::eventually("output", async || {
        let length = std::fs::metadata(&log).map_or(0, |file| file.len());
        (length > 0).then_some(())
    })
    .await;
}
