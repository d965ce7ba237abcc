//! A bus of the test's own, with a manager on it that speaks systemd's interface.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};
use zbus::{Connection, connection, fdo, interface};

use crate::support::poll;

const PATH: &str = "/org/freedesktop/systemd1";

/// dbus-daemon, ended on drop.
pub(super) struct Bus {
    directory: TempDir,
    daemon: Child,
}

impl Bus {
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config");
        let socket = directory.path().join("bus");
        let text = format!(
            "<busconfig><listen>unix:path={}</listen><policy context='default'>\
             <allow send_destination='*'/><allow eavesdrop='true'/><allow own='*'/><allow user='*'/></policy></busconfig>",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--config-file"])
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let bus = Self { directory, daemon };
        poll("bus", || socket.exists().then_some(()));
        bus
    }

    pub(super) fn address(&self) -> String {
        format!("unix:path={}/bus", self.directory.path().display())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

/// What the manager was asked for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) restarts: AtomicU32,
    subscribed: AtomicBool,
}

/// Serves the manager until it is dropped.
pub(super) struct Manager {
    pub(super) asked: Arc<Asked>,
    _connection: Connection,
    _runtime: Runtime,
}

impl Manager {
    pub(super) fn start(bus: &Bus) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let asked = Arc::new(Asked::default());
        let manager = Fake {
            asked: Arc::clone(&asked),
        };
        let connection = runtime.block_on(async {
            let built = connection::Builder::address(&*bus.address())
                .unwrap()
                .name("org.freedesktop.systemd1")
                .unwrap()
                .serve_at(PATH, manager)
                .unwrap()
                .build();
            let built = tokio::time::timeout(Duration::from_secs(10), built).await;
            built.expect("an answer of the bus").unwrap()
        });
        Self {
            asked,
            _connection: connection,
            _runtime: runtime,
        }
    }
}

struct Fake {
    asked: Arc<Asked>,
}

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Fake {
    fn subscribe(&self) {
        self.asked.subscribed.store(true, Ordering::SeqCst);
    }

    /// As the unit's name says: `good`, `bad` (its job fails), `early` (the job ends before the
    /// answer), `never` (it does not end), `missing`.
    async fn restart_unit(
        &self,
        name: String,
        mode: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<OwnedObjectPath> {
        assert_eq!(mode, "replace");
        let id = 1 + self.asked.restarts.fetch_add(1, Ordering::SeqCst);
        let path = |id: u32| ObjectPath::try_from(format!("{PATH}/job/{id}")).unwrap();
        let told = self.asked.subscribed.load(Ordering::SeqCst);
        let end = |result: &'static str, id: u32, emitter: SignalEmitter<'static>| {
            let name = name.clone();
            async move {
                // As systemd: only to those who subscribed.
                if told {
                    let signal = Self::job_removed(&emitter, id, path(id), &name, result);
                    signal.await.unwrap();
                }
            }
        };
        let emitter = emitter.to_owned();
        // Somebody else's job.
        end("failed", 1_000 + id, emitter.clone()).await;
        let result = match &*name {
            "missing.service" => {
                let text = format!("Unit {name} not found.");
                return Err(fdo::Error::Failed(text));
            }
            "early.service" => {
                end("done", id, emitter).await;
                return Ok(path(id).into());
            }
            "never.service" => return Ok(path(id).into()),
            "bad.service" => "failed",
            _ => "done",
        };
        let later = end(result, id, emitter);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            later.await;
        });
        Ok(path(id).into())
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: ObjectPath<'_>,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}
