//! Many at once.

use plimsoll::engine::WaitCondition;

use super::harbour::Harbour;

const AT_ONCE: i64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_containers_at_once() {
    let Some(harbour) = Harbour::new("a_hundred_containers_at_once") else {
        return;
    };
    let manned = harbour.man().await;
    let mut tasks = tokio::task::JoinSet::new();
    for code in 0..AT_ONCE {
        let engine = manned.engine.clone();
        let mut body = harbour.body(&format!("exit {code}"));
        body.host_config.as_mut().unwrap().auto_remove = Some(code % 2 == 0);
        tasks.spawn(async move {
            let id = engine.create(None, body).await.unwrap().id;
            let exit = engine.wait(&id, WaitCondition::NextExit).unwrap();
            engine.start(&id).await.unwrap();
            (code, exit.await.unwrap().status_code)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (wanted, code) = done.unwrap();
        assert_eq!(code, wanted);
    }
    manned.clear().await;
}
