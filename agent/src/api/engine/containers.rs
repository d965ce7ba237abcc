//! Containers: what is asked of one, or of all.

use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bollard::models::{
    ContainerCreateBody, ContainerCreateResponse, ContainerPruneResponse, ContainerSummary,
    ContainerTopResponse, ContainerUpdateBody, ContainerUpdateResponse, FilesystemChange,
};
use futures_util::stream;
use serde_json::Value;

use super::create_body::CreateBody;
use super::parameters::Parameters;
use super::platform::require_own;
use super::refusal::Refused;
use super::unset;
use crate::api::server::Room;
use crate::engine::{ListQuery, RemoveOptions, WaitCondition};
use crate::policy::limits_of_annotations;

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/containers/json", get(list))
        .route("/containers/create", post(create))
        .route("/containers/prune", post(prune))
        .route("/containers/{id}", delete(remove))
        .route("/containers/{id}/json", get(inspect))
        .route("/containers/{id}/start", post(start))
        .route("/containers/{id}/stop", post(stop))
        .route("/containers/{id}/restart", post(restart))
        .route("/containers/{id}/kill", post(kill))
        .route("/containers/{id}/pause", post(pause))
        .route("/containers/{id}/unpause", post(unpause))
        .route("/containers/{id}/rename", post(rename))
        .route("/containers/{id}/update", post(update))
        .route("/containers/{id}/wait", post(wait))
        .route("/containers/{id}/top", get(top))
        .route("/containers/{id}/changes", get(changes))
}

type Done = Result<StatusCode, Refused>;
type Answer<T> = Result<Json<T>, Refused>;

async fn list(State(room): State<Room>, asked: Parameters) -> Answer<Value> {
    let limit = asked.number::<i64>("limit")?;
    let query = ListQuery {
        all: asked.flag("all"),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()),
        size: asked.flag("size"),
        filters: asked.filters()?,
    };
    let containers: Vec<ContainerSummary> = room.engine()?.list(query).await?;
    unset::each(&containers, unset::complete_summary)
}

async fn create(
    State(room): State<Room>,
    asked: Parameters,
    body: Result<Json<CreateBody>, JsonRejection>,
) -> Result<(StatusCode, Json<ContainerCreateResponse>), Refused> {
    let Json(body) = body?;
    let body = ContainerCreateBody::from(body);
    if let Some(platform) = asked.word("platform") {
        require_own(&platform)?;
    }
    let host = body.host_config.as_ref();
    if let Some(annotations) = host.and_then(|host| host.annotations.as_ref()) {
        limits_of_annotations(annotations).map_err(Refused::bad_request)?;
    }
    let created = room.engine()?.create(asked.word("name"), body).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn prune(State(room): State<Room>, asked: Parameters) -> Answer<ContainerPruneResponse> {
    Ok(Json(room.engine()?.prune(&asked.filters()?).await?))
}

async fn remove(State(room): State<Room>, Path(id): Path<String>, asked: Parameters) -> Done {
    let options = RemoveOptions {
        force: asked.flag("force"),
        volumes: asked.flag("v"),
    };
    if asked.flag("link") {
        return Err(Refused::bad_request(
            "there are no links between containers",
        ));
    }
    room.engine()?.remove(&id, options).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn inspect(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Answer<Value> {
    let container = room.engine()?.inspect(&id, asked.flag("size")).await?;
    unset::whole(&container, unset::complete_container)
}

async fn start(State(room): State<Room>, Path(id): Path<String>) -> Done {
    room.engine()?.start(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn stop(State(room): State<Room>, Path(id): Path<String>, asked: Parameters) -> Done {
    let timeout = asked.number("t")?;
    let signal = asked.word("signal");
    room.engine()?.stop(&id, signal, timeout).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn restart(State(room): State<Room>, Path(id): Path<String>, asked: Parameters) -> Done {
    let timeout = asked.number("t")?;
    let signal = asked.word("signal");
    room.engine()?.restart(&id, signal, timeout).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn kill(State(room): State<Room>, Path(id): Path<String>, asked: Parameters) -> Done {
    let signal = asked.word("signal");
    room.engine()?.kill(&id, signal.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(room): State<Room>, Path(id): Path<String>) -> Done {
    room.engine()?.pause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unpause(State(room): State<Room>, Path(id): Path<String>) -> Done {
    room.engine()?.unpause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rename(State(room): State<Room>, Path(id): Path<String>, asked: Parameters) -> Done {
    let name = asked.text("name").unwrap_or_default();
    room.engine()?.rename(&id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn update(
    State(room): State<Room>,
    Path(id): Path<String>,
    body: Result<Json<ContainerUpdateBody>, JsonRejection>,
) -> Answer<ContainerUpdateResponse> {
    let Json(body) = body?;
    let warnings = room.engine()?.update(&id, body).await?;
    Ok(Json(ContainerUpdateResponse {
        warnings: Some(warnings),
    }))
}

/// The head of the answer is sent at once: a client that has it may start the container and misses nothing.
async fn wait(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<Response, Refused> {
    let condition = asked.text("condition").unwrap_or_default();
    let condition = WaitCondition::parse(condition)
        .ok_or_else(|| Refused::bad_request(format!("invalid condition: \"{condition}\"")))?;
    let ended = room.engine()?.wait(&id, condition)?;
    let body = stream::once(async move {
        let response = ended.await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(Bytes::from(serde_json::to_vec(&response)?))
    });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, Body::from_stream(body)).into_response())
}

async fn top(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Answer<ContainerTopResponse> {
    let arguments = asked.text("ps_args").unwrap_or_default();
    Ok(Json(room.engine()?.top(&id, arguments).await?))
}

async fn changes(
    State(room): State<Room>,
    Path(id): Path<String>,
) -> Answer<Vec<FilesystemChange>> {
    Ok(Json(room.engine()?.diff(&id).await?))
}
