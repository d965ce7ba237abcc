//! The agent's life: check, bind, load, serve, reload, stop. The wiring names every part.

mod engine;
mod error;
mod hold;
mod logging;
mod preflight;
mod reload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::error::Error;
use self::reload::Live;
use crate::api::{self, ApiState};
use crate::cgroup::{Controller, Hierarchy, Layout};
use crate::config::{Config, Source};
use crate::identity::Attribution;
use crate::kernel::{Health, Kernel, LoadOptions};
use crate::ledger::{EventLog, Keeper, Parts, Snapshot};
use crate::metrics;

/// Longest the agent takes to end what is under way, and to give back what it held, when it is told
/// to stop.
const LAST_WORK: Duration = Duration::from_millis(1_500);

/// Runs the agent until SIGTERM or SIGINT. `source` is read again on SIGHUP.
///
/// # Errors
/// Something without which there is nothing to do: see [`Error`].
pub fn run(config: Config, source: Source) -> Result<(), Error> {
    logging::start(&config.log);
    preflight::check()?;
    preflight::raise_file_limit();
    preflight::limit_heaps();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let result = runtime.block_on(serve(config, source));
    // A blocking read that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn serve(config: Config, source: Source) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::Runtime)?;
    let layout = Layout::detect().map_err(Error::Layout)?;
    if let Some(degradation) = layout.degradation() {
        tracing::warn!(reason = %degradation, "degraded");
    }
    let (socket, socket_guard) = api::bind(&config.agent.socket).map_err(Error::Socket)?;
    let listener = TcpListener::bind(config.metrics.listen)
        .await
        .map_err(|source| Error::Listen {
            address: config.metrics.listen,
            source,
        })?;

    let mut kernel = load(&config, &layout)?;
    let token = CancellationToken::new();
    let log = EventLog::new(config.agent.event_history);
    let live = Live::new(&config);
    let (snapshots, latest) = watch::channel(Arc::new(Snapshot::empty()));
    let (scraped, scraped_latest) = watch::channel(0);
    let (attribution, updates) = Attribution::start(&config.attribution, token.clone());
    let names = attribution.clone();
    let bpf_log = tokio::spawn(logging::forward_bpf_log(kernel.logger(), token.clone()));

    let stop = Arc::new(AtomicBool::new(false));
    let (keeper_gone, mut keeper_ended) = mpsc::channel::<()>(1);
    let parts = Parts {
        kernel,
        layout: layout.clone(),
        log: log.clone(),
        attribution,
        updates,
        snapshots,
        scraped: scraped_latest,
        settings: live.ledger.subscribe(),
    };
    let keeper = std::thread::Builder::new().name("ledger".into()).spawn({
        let stop = Arc::clone(&stop);
        move || {
            // Dropped when the thread ends, however it ends.
            let _gone = keeper_gone;
            Keeper::new(parts).run(&stop);
        }
    });
    let keeper = keeper.map_err(Error::Runtime)?;
    let (hold, holding) = hold::start(&config, layout.clone(), latest.clone(), log.clone())?;
    let launching =
        engine::start(&config, layout, names, hold.enforce.clone(), token.clone()).await;

    let mut api = tokio::spawn(api::serve(
        socket,
        ApiState {
            snapshots: latest.clone(),
            events: log,
            hold: Some(hold.clone()),
            engine: launching.as_ref().map(|launching| launching.engine.clone()),
        },
        token.clone(),
    ));
    let mut metrics = tokio::spawn(metrics::serve(
        listener,
        latest,
        live.metrics.subscribe(),
        Some(metrics::HoldSources {
            policy: hold.policy.status(),
            enforce: hold.enforce.status(),
            audit: hold.enforce.audit().clone(),
        }),
        launching.as_ref().map(engine::Launching::metrics),
        scraped,
        token.clone(),
    ));
    tracing::info!(
        metrics = %config.metrics.listen,
        socket = %config.agent.socket.display(),
        "plimsoll agent is up"
    );

    let mut reloader = reload::Reloader::new(config, source, live, hold);
    let outcome = loop {
        tokio::select! {
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
            _ = signals.hangup.recv() => reloader.reload().await,
            _ = keeper_ended.recv() => break Err(Error::Ended("ledger")),
            ended = &mut api => break Err(reload::ended("api", ended)),
            ended = &mut metrics => break Err(reload::ended("metrics", ended)),
        }
    };
    tracing::info!("stopping");
    stop.store(true, Ordering::Relaxed);
    token.cancel();
    let all = async {
        if !api.is_finished() {
            let _ = api.await; // It was told to end; how it ended is of no interest now.
        }
        if !metrics.is_finished() {
            let _ = metrics.await;
        }
        let _ = bpf_log.await;
        if let Some(launching) = launching {
            launching.stopped().await;
        }
        holding.stop().await;
        let _ = tokio::task::spawn_blocking(move || keeper.join()).await;
    };
    if tokio::time::timeout(LAST_WORK, all).await.is_err() {
        tracing::warn!("some work did not end in time");
    }
    drop(socket_guard);
    outcome
}

/// Loads the probes and tells how each is doing.
fn load(config: &Config, layout: &Layout) -> Result<Kernel, Error> {
    let kernel = Kernel::load(&LoadOptions {
        probes: &config.probes,
        log: config.log.bpf,
        cgroup2: layout.unified().map(|hierarchy| hierarchy.mount.as_path()),
        kernel_counts_io: layout
            .controller(Controller::Io)
            .is_some_and(Hierarchy::is_unified),
    })
    .map_err(Error::Load)?;
    let mut attached = 0;
    for report in kernel.report() {
        let (probe, hook) = (report.probe.program, report.probe.hook_name());
        match report.health {
            Health::Attached => attached += 1,
            Health::Disabled => tracing::info!(probe, "probe is switched off or not needed here"),
            Health::Degraded(reason) => tracing::warn!(probe, hook, reason, "probe is degraded"),
            Health::Unsupported(reason) => {
                tracing::warn!(probe, hook, reason, "probe is not supported by this kernel");
            }
            Health::Failed(reason) => tracing::error!(probe, hook, reason, "probe failed"),
        }
    }
    tracing::info!(attached, "probes attached");
    Ok(kernel)
}

/// The signals the agent heeds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
