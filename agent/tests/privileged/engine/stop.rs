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
