//! Archives that go at a client's pace.

use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::harbour::Harbour;
use super::wired::said;

const PATIENCE: Duration = Duration::from_secs(60);
const THREADS: usize = 2;

#[test]
fn clients_that_are_slow_hold_up_no_verb() {
    let Some(harbour) = Harbour::new("clients_that_are_slow_hold_up_no_verb") else {
        return;
    };
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(THREADS);
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let manned = harbour.man().await;
        let mut slow = Vec::new();
        for _ in 0..2 * THREADS {
            let (archive, client) = std::io::pipe().unwrap();
            let engine = manned.engine.clone();
            let load = tokio::spawn(async move { engine.image_load(archive).await });
            slow.push((load, client));
        }
        let run = async {
            let id = manned.run(harbour.body("echo here; exit 3")).await;
            said(&manned, &id).await
        };
        let seen = timeout(PATIENCE, run).await.expect("somebody holds it up");
        assert_eq!(seen, ("here\n".to_owned(), 3));
        for (load, client) in slow {
            drop(client);
            load.await.unwrap().unwrap_err();
        }
        manned.clear().await;
    });
}
