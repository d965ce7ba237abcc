//! The HTTP endpoint.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ContainersConfig, MetricsConfig};
use crate::ledger::Snapshot;
use crate::metrics::accept::negotiate;
use crate::metrics::body::{ChunkSender, Delivery, channel};
use crate::metrics::exposition::Format;
use crate::metrics::hold::HoldSources;
use crate::metrics::launching::LaunchingSource;
use crate::metrics::machine::Machine;
use crate::metrics::own::OwnMetrics;
use crate::metrics::scrape::{Closed, Scrape};

/// Scrapes under way at once: each holds a thread and some chunks.
const SCRAPES_AT_ONCE: usize = 4;
/// Time that scrapes under way have to end after the token was cancelled.
const GRACE: Duration = Duration::from_millis(500);

const INDEX: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Plimsoll</title>\n\
    <h1>Plimsoll</h1>\n<ul><li><a href=\"/metrics\">metrics</a>\n<li><a href=\"/healthz\">healthz</a>\n\
    <li><a href=\"/readyz\">readyz</a></ul></html>\n";

/// The sections of the configuration that say what is exported.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub metrics: MetricsConfig,
    pub containers: ContainersConfig,
}

/// Why the endpoint is not served (any more).
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Reading the machine's facts panicked.
    #[error("cannot read the facts about the machine")]
    Machine(#[source] tokio::task::JoinError),
    /// Two of the agent's own metrics have one name.
    #[error("cannot register the agent's own metrics")]
    Register(#[source] prometheus::Error),
    /// The listener failed.
    #[error("cannot serve metrics")]
    Serve(#[source] std::io::Error),
}

struct Endpoint {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    machine: Arc<Machine>,
    options: watch::Receiver<Options>,
    own: Arc<OwnMetrics>,
    hold: Option<HoldSources>,
    launching: Option<LaunchingSource>,
    scraped: watch::Sender<u64>,
    slots: Arc<Semaphore>,
    producers: TaskTracker,
    abort: CancellationToken,
}

/// Serves `/metrics`, `/healthz`, `/readyz` and an index on `listener` until `token` is cancelled,
/// and returns when every scrape has ended, at most half a second later.
///
/// `options` may change while it runs: the next scrape goes by them. `hold` is `None` for an agent that
/// only looks, `launching` for one that runs no containers.
///
/// `scraped` gets the tick of a snapshot when a scrape of it was handed over as a whole.
///
/// # Errors
///
/// See [`ServeError`]; none of them is expected.
pub async fn serve(
    listener: TcpListener,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    options: watch::Receiver<Options>,
    hold: Option<HoldSources>,
    launching: Option<LaunchingSource>,
    scraped: watch::Sender<u64>,
    token: CancellationToken,
) -> Result<(), ServeError> {
    let machine = tokio::task::spawn_blocking(|| Machine::read(Path::new("/")))
        .await
        .map_err(ServeError::Machine)?;
    let producers = TaskTracker::new();
    let abort = CancellationToken::new();
    let endpoint = Arc::new(Endpoint {
        snapshots,
        machine: Arc::new(machine),
        options,
        own: Arc::new(OwnMetrics::new().map_err(ServeError::Register)?),
        hold,
        launching,
        scraped,
        slots: Arc::new(Semaphore::new(SCRAPES_AT_ONCE)),
        producers: producers.clone(),
        abort: abort.clone(),
    });
    let listener = listener.tap_io(|stream| {
        // A missing option costs a little latency, nothing else.
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, router(endpoint))
        .with_graceful_shutdown(token.clone().cancelled_owned());
    let served = tokio::select! {
        served = server.into_future() => served,
        () = grace(&token) => Ok(()),
    };
    abort.cancel();
    producers.close();
    producers.wait().await;
    served.map_err(ServeError::Serve)
}

async fn grace(token: &CancellationToken) {
    token.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn router(endpoint: Arc<Endpoint>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(INDEX) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(endpoint)
}

async fn readyz(State(endpoint): State<Arc<Endpoint>>) -> Response {
    if endpoint.snapshots.borrow().tick > 0 {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no reading yet\n").into_response()
    }
}

async fn metrics(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap) -> Response {
    let started = Instant::now();
    let Ok(slot) = endpoint.slots.clone().try_acquire_owned() else {
        endpoint.own.scrape_refused();
        let busy = "too many scrapes are under way\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], busy).into_response();
    };
    let accept = headers.get_all(ACCEPT).into_iter();
    let format = negotiate(accept.filter_map(|value| value.to_str().ok()));
    let snapshot = endpoint.snapshots.borrow().clone();
    let delivery = Delivery {
        own: endpoint.own.clone(),
        scraped: endpoint.scraped.clone(),
        tick: snapshot.tick,
        started,
        slot,
    };
    let (sender, body) = channel(delivery, endpoint.abort.clone());
    let producer = endpoint.clone();
    endpoint.producers.spawn_blocking(move || {
        if produce(&producer, &snapshot, format, sender).is_err() {
            tracing::debug!("scrape ended early");
        }
    });
    let headers = [
        (CONTENT_TYPE, format.content_type()),
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn produce(
    endpoint: &Endpoint,
    snapshot: &Snapshot,
    format: Format,
    sender: ChunkSender,
) -> Result<(), Closed> {
    // A copy: a slow scrape must not hold up a reload.
    let Options {
        metrics,
        containers,
    } = endpoint.options.borrow().clone();
    let gathered = endpoint.own.gather();
    let hold = endpoint.hold.as_ref().map(HoldSources::read);
    let scrape = Scrape::new(snapshot, &endpoint.machine, gathered, &metrics, &containers);
    let launching = endpoint.launching.as_ref().map(LaunchingSource::read);
    let scrape = scrape.with_hold(hold).with_launching(launching);
    scrape.render(format, |chunk| sender.send(chunk))?;
    sender.end()
}
