//! Where log lines go: standard error, as text or JSON; the BPF programs' own among them.

use std::io::IsTerminal;
use std::sync::OnceLock;

use aya_log::EbpfLogger;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::{LogConfig, LogFormat, LogLevel};

static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

/// Starts logging. A second call in one process changes nothing.
pub(super) fn start(config: &LogConfig) {
    let (level, handle) = reload::Layer::new(filter(config.level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(level);
    let started = match config.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    if started.is_ok() {
        // aya and aya-log speak through the `log` crate.
        let _ = tracing_log::LogTracer::init();
        let _ = LEVEL.set(handle); // Set once: `try_init` succeeds once.
    }
}

/// Changes the level.
pub(super) fn set_level(level: LogLevel) {
    if let Some(Err(error)) = LEVEL.get().map(|handle| handle.reload(filter(level))) {
        tracing::warn!(%error, "cannot change the log level");
    }
}

/// Passes on what the BPF programs log, until cancelled.
pub(super) async fn forward_bpf_log(
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    token: CancellationToken,
) {
    let Some(logger) = logger else { return };
    // SAFETY: the logger owns the ring's descriptor, and keeps that one for as long as it lives.
    let ring = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
    let Ok(mut ring) = ring else { return };
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            ready = ring.readable_mut() => {
                let Ok(mut ready) = ready else { return };
                ready.get_inner_mut().flush();
                ready.clear_ready();
            }
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
