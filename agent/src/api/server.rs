//! The routes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, ServiceExt};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower::util::MapRequestLayer;

use super::engine;
use super::event_stream::event_lines;
use super::hold::{self, Hold};
use super::name::{SelectorError, select};
use super::query::{EventQuery, WorkloadQuery};
use super::types::{ErrorBody, ProbeList, Snapshot, Version, WorkloadDetail, WorkloadList};
use crate::engine::Engine;
use crate::launch::Id;
use crate::ledger::{EventLog, Workload};

/// Longest wait, at shutdown, for a client that does not read its answer.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Longest wait for a workload that must be in the next reading.
const NEXT_READING: Duration = Duration::from_secs(3);

/// What the answers are made of.
#[derive(Clone, Debug)]
pub struct ApiState {
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    pub events: EventLog,
    /// `None`: this agent only looks.
    pub hold: Option<Hold>,
    /// `None`: this agent runs no containers.
    pub engine: Option<Engine>,
}

/// Answers until `stop`, and then not longer than answers under way need, half a second at most.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(
    listener: UnixListener,
    state: ApiState,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = router(state, stop.clone());
    let versions = MapRequestLayer::new(engine::strip_version);
    let service = versions.layer(router).into_make_service();
    let answers =
        axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        ended = answers => ended,
        () = overdue => Ok(()),
    }
}

#[derive(Clone)]
pub(super) struct Room {
    pub(super) api: ApiState,
    pub(super) stop: CancellationToken,
}

fn router(api: ApiState, stop: CancellationToken) -> Router {
    Router::new()
        .route("/v1/workloads", get(workloads))
        .route("/v1/workloads/{selector}", get(workload))
        .route("/v1/events", get(events))
        .route("/v1/probes", get(probes))
        .route("/v1/version", get(version))
        .merge(hold::routes())
        .merge(engine::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Room { api, stop })
}

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

async fn workloads(State(room): State<Room>, pairs: Pairs) -> Result<Json<WorkloadList>, Refusal> {
    let query = WorkloadQuery::from_pairs(pairs?.0).map_err(Refusal::bad_request)?;
    let snapshot = room.snapshot()?;
    let workloads = snapshot.workloads.iter().filter(|w| query.matches(w));
    Ok(Json(WorkloadList {
        tick: snapshot.tick,
        taken: snapshot.taken,
        host: snapshot.host.clone(),
        folded_workloads: snapshot.folded_workloads,
        workloads: workloads.cloned().collect(),
    }))
}

async fn workload(
    State(room): State<Room>,
    selector: Result<Path<String>, PathRejection>,
) -> Result<Json<WorkloadDetail>, Refusal> {
    let Path(selector) = selector.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let workload = room.workload(&selector).await?;
    let snapshot = room.snapshot()?;
    Ok(Json(WorkloadDetail {
        tick: snapshot.tick,
        taken: snapshot.taken,
        host: snapshot.host.clone(),
        workload,
    }))
}

async fn events(State(room): State<Room>, pairs: Pairs) -> Result<Response, Refusal> {
    let query = EventQuery::from_pairs(pairs?.0).map_err(Refusal::bad_request)?;
    let body = Body::from_stream(event_lines(room.api.events, query, room.stop));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn probes(State(room): State<Room>) -> Json<ProbeList> {
    // Probes are attached before the first tick, and worth seeing when that never comes.
    let snapshot = room.latest();
    let agent = &snapshot.agent;
    Json(ProbeList {
        taken: snapshot.taken,
        probes: agent.probes.clone(),
        losses: agent.losses.clone(),
        events: agent.events.clone(),
        engines: agent.engines.clone(),
    })
}

async fn version(State(room): State<Room>) -> Json<Version> {
    let kernel = nix::sys::utsname::uname();
    let kernel = kernel.map(|name| name.release().to_string_lossy().into_owned());
    Json(Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: "v1".to_owned(),
        pid: std::process::id(),
        kernel: kernel.unwrap_or_default(),
        started: room.latest().agent.started,
    })
}

async fn unknown_path(uri: Uri) -> Response {
    let text = format!("no such path: {}", uri.path());
    said_to_anybody(StatusCode::NOT_FOUND, &text)
}

async fn method_not_allowed() -> Response {
    let text = "this path does not answer this method";
    said_to_anybody(StatusCode::METHOD_NOT_ALLOWED, text)
}

/// In our form and in Docker's: whose client it is, is not known.
fn said_to_anybody(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({"error": text, "message": text}))).into_response()
}

impl Room {
    fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.api.snapshots.borrow())
    }

    /// The latest with readings in it.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, Refusal> {
        let snapshot = self.latest();
        if snapshot.tick == 0 {
            return Err(Refusal {
                status: StatusCode::SERVICE_UNAVAILABLE,
                error: "the agent is starting and has no readings yet; try again in a moment"
                    .into(),
            });
        }
        Ok(snapshot)
    }

    /// The workload that a selector means. A container of ours that has begun to run since the last reading is waited
    /// for: it is in the next.
    pub(super) async fn workload(&self, selector: &str) -> Result<Arc<Workload>, Refusal> {
        let deadline = Instant::now() + NEXT_READING;
        let mut snapshots = self.api.snapshots.clone();
        loop {
            let snapshot = self.snapshot()?;
            let found = select(&snapshot.workloads, selector);
            // Another of that name may have been before it, and its own name is known a moment after itself.
            let is_read = self.running(selector).is_none_or(|id| {
                let known = found.as_ref().ok();
                known.is_some_and(|one| one.identity.container_id.as_deref() == Some(id.as_str()))
            });
            if is_read || !matches!(timeout_at(deadline, snapshots.changed()).await, Ok(Ok(()))) {
                return Ok(found?);
            }
        }
    }

    /// The container of ours that a selector means, if it runs.
    fn running(&self, selector: &str) -> Option<Id> {
        let engine = self.api.engine.as_ref()?;
        let id = engine.resolve(selector).ok()?;
        engine.runs(selector).ok()?.then_some(id)
    }
}

/// Every answer that is not a success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: String,
}

impl Refusal {
    pub(super) fn bad_request(error: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<SelectorError> for Refusal {
    fn from(error: SelectorError) -> Self {
        Self {
            status: match error {
                SelectorError::NotFound { .. } => StatusCode::NOT_FOUND,
                SelectorError::Ambiguous { .. } => StatusCode::CONFLICT,
            },
            error: error.to_string(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error })).into_response()
    }
}
