//! What a container uses, from the same readings as everything else here tells: those of the agent's last tick.

mod form;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bollard::models::{ContainerCpuStats, ContainerStatsResponse};
use futures_util::stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::parameters::Parameters;
use super::refusal::Refused;
use crate::api::server::Room;
use crate::api::types::{Life, Snapshot};
use crate::engine::{Engine, EngineError};

/// How long a container that was just started is waited for: a few ticks of the usual length.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Router<Room> {
    Router::new().route("/containers/{id}/stats", get(stats))
}

/// One JSON object a tick, until the container is removed; or one.
async fn stats(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<Response, Refused> {
    let engine = room.engine()?.clone();
    let mut looker = Looker {
        id: engine.resolve(&id)?.to_string(),
        engine,
        snapshots: room.api.snapshots.clone(),
        before: None,
        stop: room.stop.clone(),
    };
    // As Docker has it: a stream, unless that is said to be unwanted.
    if asked.text("stream").is_some() && !asked.flag("stream") {
        return Ok(Json(looker.once(asked.flag("one-shot")).await?).into_response());
    }
    let lines = stream::unfold((looker, true), |(mut looker, first)| async move {
        if !first && !looker.tick().await {
            return None;
        }
        let mut line = serde_json::to_vec(&looker.look().ok()?).ok()?;
        line.push(b'\n');
        let line = Ok::<_, std::convert::Infallible>(Bytes::from(line));
        Some((line, (looker, false)))
    });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Who looks at one container, again and again.
struct Looker {
    engine: Engine,
    id: String,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What was told last: clients make rates of two readings.
    before: Option<(SystemTime, ContainerCpuStats)>,
    stop: CancellationToken,
}

impl Looker {
    /// Waits for the next readings; `false`: there are none to come.
    async fn tick(&mut self) -> bool {
        tokio::select! {
            changed = self.snapshots.changed() => changed.is_ok(),
            () = self.stop.cancelled() => false,
        }
    }

    /// One answer, with two readings in it unless one is enough.
    async fn once(&mut self, one_is_enough: bool) -> Result<ContainerStatsResponse, EngineError> {
        let mut found = self.look()?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.engine.runs(&self.id)? && self.before.is_none() {
            match tokio::time::timeout_at(deadline, self.tick()).await {
                Ok(true) => found = self.look()?,
                Ok(false) | Err(_) => return Ok(found),
            }
        }
        if one_is_enough || !self.engine.runs(&self.id)? || !self.tick().await {
            return Ok(found);
        }
        self.look()
    }

    /// The latest readings; without any, of one that does not run or was just started, its name alone.
    fn look(&mut self) -> Result<ContainerStatsResponse, EngineError> {
        let own = self.engine.workload(&self.id)?;
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        let found = snapshot.workloads.iter().find(|workload| {
            let mut paths = workload.placement.paths.values();
            !matches!(workload.life, Life::Dead { .. }) && paths.any(|path| *path == own.cgroup)
        });
        let found = found.filter(|_| self.engine.runs(&self.id).unwrap_or(false));
        let Some(workload) = found else {
            self.before = None;
            return Ok(form::nothing(&self.id, &own.name));
        };
        let response = form::stats(&self.id, &own.name, workload, &snapshot, self.before.take());
        let now = response.cpu_stats.clone().unwrap_or_default();
        self.before = Some((snapshot.taken, now));
        Ok(response)
    }
}
