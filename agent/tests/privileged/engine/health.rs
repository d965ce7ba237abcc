//! Health checks.

use bollard::models::{HealthConfig, HealthStatusEnum};

use super::harbour::Harbour;

const MS: i64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_what_the_check_says() {
    let Some(harbour) = Harbour::new("health_follows_what_the_check_says") else {
        return;
    };
    let manned = harbour.man().await;
    let mut events = manned.engine.events().subscribe();
    let mut body = harbour.body("touch /tmp/well; sleep 1000");
    body.healthcheck = Some(HealthConfig {
        test: Some(vec![
            "CMD-SHELL".to_owned(),
            "echo looked; test -e /tmp/well".to_owned(),
        ]),
        interval: Some(50 * MS),
        timeout: Some(5_000 * MS),
        retries: Some(2),
        ..HealthConfig::default()
    });
    let id = manned.run(body).await;
    let is = |wanted: HealthStatusEnum| {
        move |now: &bollard::models::ContainerInspectResponse| {
            now.state.as_ref().unwrap().health.as_ref().unwrap().status == Some(wanted)
        }
    };
    assert!(is(HealthStatusEnum::STARTING)(&manned.inspect(&id).await));
    manned
        .until(&id, "health", is(HealthStatusEnum::HEALTHY))
        .await;
    let health = manned.inspect(&id).await.state.unwrap().health.unwrap();
    assert_eq!(health.log.unwrap()[0].output.as_deref(), Some("looked\n"));
    let exec = |line: &str| bollard::models::ExecConfig {
        cmd: Some(["sh", "-c", line].map(str::to_owned).to_vec()),
        ..Default::default()
    };
    let ill = manned
        .engine
        .exec_create(&id, exec("rm /tmp/well"))
        .unwrap();
    manned.engine.exec_start(&ill, true, None).await.unwrap();
    manned
        .until(&id, "illness", is(HealthStatusEnum::UNHEALTHY))
        .await;
    let listed = manned.engine.list(Default::default()).await.unwrap();
    assert!(listed[0].status.as_ref().unwrap().ends_with("(unhealthy)"));
    let well = manned
        .engine
        .exec_create(&id, exec("touch /tmp/well"))
        .unwrap();
    manned.engine.exec_start(&well, true, None).await.unwrap();
    manned
        .until(&id, "health", is(HealthStatusEnum::HEALTHY))
        .await;
    let mut told = Vec::new();
    let mut first = Vec::new();
    while let Ok(event) = events.try_recv() {
        let attributes = event.actor.unwrap().attributes.unwrap();
        let exec = attributes.get("execID").cloned();
        let action = event.action.unwrap();
        if first.len() < 3 && exec.is_some() {
            first.push((action.clone(), exec, attributes.get("exitCode").cloned()));
        }
        told.extend(Some(action).filter(|action| action.starts_with("health_status")));
    }
    // As docker 20.10 tells of a check.
    let exec = first[0].1.clone();
    assert_eq!(exec.as_ref().map(String::len), Some(64));
    let line = "/bin/sh -c echo looked; test -e /tmp/well";
    let expected = [
        (format!("exec_create: {line}"), exec.clone(), None),
        (format!("exec_start: {line}"), exec.clone(), None),
        ("exec_die".to_owned(), exec, Some("0".to_owned())),
    ];
    assert_eq!(first, expected);
    let expected = ["healthy", "unhealthy", "healthy"].map(|word| format!("health_status: {word}"));
    assert_eq!(told, expected);
    // As docker has it of one that is not checked any more.
    manned.engine.stop(&id, None, Some(0)).await.unwrap();
    assert!(is(HealthStatusEnum::UNHEALTHY)(&manned.inspect(&id).await));
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_takes_too_long_is_a_failure() {
    let Some(harbour) = Harbour::new("a_check_that_takes_too_long_is_a_failure") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("sleep 1000");
    body.healthcheck = Some(HealthConfig {
        test: Some(["CMD", "sleep", "500"].map(str::to_owned).to_vec()),
        interval: Some(20 * MS),
        timeout: Some(100 * MS),
        retries: Some(1),
        ..HealthConfig::default()
    });
    let id = manned.run(body).await;
    manned
        .until(&id, "illness", |now| {
            let health = now.state.as_ref().unwrap().health.as_ref().unwrap();
            health.status == Some(HealthStatusEnum::UNHEALTHY)
        })
        .await;
    let health = manned.inspect(&id).await.state.unwrap().health.unwrap();
    let result = health.log.unwrap()[0].clone();
    assert_eq!(result.exit_code, Some(-1));
    assert!(result.output.unwrap().contains("exceeded timeout (100ms)"));
    manned.engine.stop(&id, None, Some(0)).await.unwrap();
    manned.clear().await;
}
