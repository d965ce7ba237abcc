//! The agent that is killed: containers come and go as fast as they can, and it says what is done.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, ExecConfig, PortBinding};
use plimsoll::engine::{Engine, EngineError, RemoveOptions};

use super::super::harbour::Harbour;

/// What a child is told: the harbour's directory and parent cgroup, and whether it lives until told otherwise.
pub(super) const CHILD: &str = "PLIMSOLL_TEST_ENGINE_CHILD";
pub(super) const SEPARATOR: char = '|';
pub(super) const STEADY: &str = "steady";
const WORKERS: u32 = 2;
const EVERYTHING: RemoveOptions = RemoveOptions {
    force: true,
    volumes: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn agent_of_the_kills() {
    let Ok(text) = std::env::var(CHILD) else {
        // Not asked for.
        return;
    };
    let mut words = text.split(SEPARATOR);
    let harbour = Harbour::of(words.next().unwrap().as_ref(), words.next().unwrap());
    let manned = harbour.man().await;
    println!("manned");
    let is_steady = words.next() == Some(STEADY);
    let stop = Arc::new(AtomicBool::new(false));
    let before = if is_steady {
        // What is made once is made now.
        for worker in 0..WORKERS {
            for round in 0..3 {
                live(&harbour, &manned.engine, worker, round).await;
            }
        }
        remove_all(&manned.engine).await;
        let before = settled_descriptors().await;
        println!("ready");
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut nothing = Vec::new();
            let _closed = std::io::stdin().read_to_end(&mut nothing);
            stop.store(true, Ordering::Relaxed);
        });
        before
    } else {
        Vec::new()
    };
    let workers = (0..WORKERS).map(|worker| {
        let (engine, stop) = (manned.engine.clone(), Arc::clone(&stop));
        let harbour = Harbour::of(&harbour.directory, &harbour.parent);
        tokio::spawn(async move {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                live(&harbour, &engine, worker, round).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    if is_steady {
        // What is ready ahead of need is ready again, after the last of the kills.
        live(&harbour, &manned.engine, WORKERS, 1).await;
    }
    remove_all(&manned.engine).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut after = descriptors();
    while after.len() > before.len() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
        after = descriptors();
    }
    println!("descriptors {} {}", before.len(), after.len());
    println!("before {before:?}");
    println!("after {after:?}");
    manned.leave().await;
}

/// One container's life, or its beginning.
async fn live(harbour: &Harbour, engine: &Engine, worker: u32, round: u32) {
    let name = format!("n{worker}-{round}-{}", std::process::id());
    let body = body(harbour, worker, round);
    let id = engine.create(Some(name), body).await.unwrap().id;
    println!("created {id}");
    match engine.start(&id).await {
        Ok(()) => println!("started {id}"),
        Err(error) => {
            println!("failed {id} {}", error.with_causes());
            return;
        }
    }
    if round % 4 == 1 {
        join(engine, &id).await;
    }
    if round.is_multiple_of(3) {
        return;
    }
    if round % 3 == 1 {
        println!("stopping {id}");
        match engine.stop(&id, None, Some(0)).await {
            Ok(()) | Err(EngineError::AlreadyStopped(_)) => println!("stopped {id}"),
            Err(error) => println!("wrong {id} not stopped: {}", error.with_causes()),
        }
    }
    println!("removing {id}");
    match engine.remove(&id, EVERYTHING).await {
        Ok(()) => println!("removed {id}"),
        Err(error) => println!("wrong {id} not removed: {}", error.with_causes()),
    }
}

/// A process more in it; its shim may be killed, or the container's.
async fn join(engine: &Engine, id: &str) {
    let config = ExecConfig {
        cmd: Some(["sleep", "1000"].map(str::to_owned).to_vec()),
        ..ExecConfig::default()
    };
    if let Ok(exec) = engine.exec_create(id, config) {
        let _killed = engine.exec_start(&exec, true, None).await;
    }
}

fn body(harbour: &Harbour, worker: u32, round: u32) -> ContainerCreateBody {
    let mut body = harbour.body("sleep 1000");
    // One of two with a terminal: its shim has more to do.
    body.tty = Some(round.is_multiple_of(2));
    if worker == 0 {
        let host = body.host_config.as_mut().unwrap();
        host.network_mode = Some("bridge".to_owned());
        let any = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: None,
        };
        host.port_bindings = Some(HashMap::from([("80/tcp".to_owned(), Some(vec![any]))]));
    }
    body
}

async fn remove_all(engine: &Engine) {
    let query = plimsoll::engine::ListQuery {
        all: true,
        ..Default::default()
    };
    for container in engine.list(query).await.unwrap() {
        engine
            .remove(&container.id.unwrap(), EVERYTHING)
            .await
            .unwrap();
    }
}

/// What this process has open.
fn descriptors() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let names = targets.map(|target| target.display().to_string());
    // libpathrs keeps a detached procfs from the first workload on that is cleared here instead of by its shim.
    let mut detached = 0;
    names
        .filter(|name| {
            detached += usize::from(name == "/");
            name != "/" || detached > 1
        })
        .collect()
}

/// Shims that ended are let go of a moment later.
async fn settled_descriptors() -> Vec<String> {
    let mut least = descriptors();
    for _ in 0..25 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = descriptors();
        if now.len() < least.len() {
            least = now;
        }
    }
    least
}
