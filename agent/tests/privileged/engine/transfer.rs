//! Archives that go at a client's pace.

use std::time::Duration;

use plimsoll::engine::rootfs::Writing;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::harbour::Harbour;
use super::wired::said;

const PATIENCE: Duration = Duration::from_secs(60);
/// What a copy takes to begin.
const SOON: Duration = Duration::from_millis(300);
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
        let rests = manned.run(harbour.body("true")).await;
        manned
            .until(&rests, "its end", |now| {
                now.state.as_ref().unwrap().running == Some(false)
            })
            .await;
        let mut slow = Vec::new();
        for _ in 0..2 * THREADS {
            let (archive, client) = std::io::pipe().unwrap();
            let engine = manned.engine.clone();
            let load = tokio::spawn(async move { engine.image_load(archive).await });
            slow.push((load, client));
        }
        // A copy into one that does not run, and others who ask of it: they wait for the copy, on no thread.
        let (archive, client) = std::io::pipe().unwrap();
        let engine = manned.engine.clone();
        let (id, writing) = (rests.clone(), Writing::default());
        let copy =
            tokio::spawn(async move { engine.archive_put(&id, "/", archive, writing).await });
        let (begun, asked) = (tokio::time::sleep(SOON), 2 * THREADS);
        begun.await;
        let asked = (0..asked).map(|_| {
            let (engine, id) = (manned.engine.clone(), rests.clone());
            tokio::spawn(async move { engine.archive_stat(&id, "/").await })
        });
        let asked: Vec<_> = asked.collect();
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
        assert!(asked.iter().all(|asked| !asked.is_finished()));
        drop(client);
        copy.await.unwrap().unwrap();
        for asked in asked {
            asked.await.unwrap().unwrap();
        }
        manned.clear().await;
    });
}
