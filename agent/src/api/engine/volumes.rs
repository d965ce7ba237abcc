//! Volumes.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard::models::{Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse};
use serde_json::Value;

use super::parameters::Parameters;
use super::refusal::Refused;
use super::unset;
use crate::api::server::Room;

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/prune", post(prune))
        .route("/volumes/{name}", get(inspect).delete(remove))
}

type Answer<T> = Result<Json<T>, Refused>;

async fn list(State(room): State<Room>, asked: Parameters) -> Answer<Value> {
    let volumes = room.engine()?.volume_list(asked.filters()?).await?;
    let volumes = VolumeListResponse {
        volumes: Some(volumes),
        warnings: None,
    };
    unset::whole(&volumes, unset::complete_volumes)
}

async fn create(
    State(room): State<Room>,
    body: Result<Json<VolumeCreateRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Volume>), Refused> {
    let Json(body) = body?;
    let volume = room.engine()?.volume_create(body).await?;
    Ok((StatusCode::CREATED, Json(volume)))
}

async fn inspect(State(room): State<Room>, Path(name): Path<String>) -> Answer<Volume> {
    Ok(Json(room.engine()?.volume_inspect(&name).await?))
}

async fn remove(
    State(room): State<Room>,
    Path(name): Path<String>,
    asked: Parameters,
) -> Result<StatusCode, Refused> {
    let force = asked.flag("force");
    room.engine()?.volume_remove(&name, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prune(State(room): State<Room>, asked: Parameters) -> Answer<VolumePruneResponse> {
    Ok(Json(room.engine()?.volume_prune(asked.filters()?).await?))
}
