//! Processes that join a container.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard::models::{ExecConfig, ExecInspectResponse, ExecStartConfig};
use serde_json::{Value, json};

use super::detach_keys::DetachKeys;
use super::hijack;
use super::parameters::Parameters;
use super::refusal::Refused;
use super::streams::window;
use crate::api::server::Room;
use crate::engine::Attachment;

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", post(start))
        .route("/exec/{id}/resize", post(resize))
        .route("/exec/{id}/json", get(inspect))
}

async fn create(
    State(room): State<Room>,
    Path(id): Path<String>,
    body: Result<Json<ExecConfig>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let Json(config) = body?;
    DetachKeys::parse(config.detach_keys.as_deref())?;
    let id = room.engine()?.exec_create(&id, config)?;
    // `IdResponse` is written with a small letter.
    Ok((StatusCode::CREATED, Json(json!({"Id": id}))))
}

async fn start(
    State(room): State<Room>,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, Refused> {
    let upgrade = hijack::upgrade(&mut request);
    let Json(config) = Json::<ExecStartConfig>::from_request(request, &()).await?;
    let size = match config.console_size.as_deref() {
        Some([rows, columns]) => {
            let side = |side: &usize| u16::try_from(*side).ok();
            side(rows).zip(side(columns))
        }
        _ => None,
    };
    let detach = config.detach.unwrap_or(false);
    let engine = room.engine()?.clone();
    let keys = engine.exec_detach_keys(&id)?;
    let keys = DetachKeys::parse(keys.as_deref())?;
    if detach {
        engine.exec_start(&id, true, size).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let admitted = engine.exec_admit(&id)?;
    let terminal = admitted.has_terminal();
    let started = async move {
        match engine.exec_run(admitted, false, size).await {
            Ok(attachment) => {
                attachment.unwrap_or_else(|| Attachment::of_text(terminal, String::new()))
            }
            // The connection is taken over by then, and it is said on it.
            Err(error) => Attachment::of_text(terminal, format!("{error}\r\n")),
        }
    };
    match upgrade {
        Some(upgrade) => Ok(hijack::take_over(upgrade, terminal, started, keys)),
        None => Ok(hijack::stream(started.await)),
    }
}

async fn resize(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<StatusCode, Refused> {
    let (rows, columns) = window(&asked)?;
    room.engine()?.exec_resize(&id, rows, columns).await?;
    Ok(StatusCode::OK)
}

async fn inspect(
    State(room): State<Room>,
    Path(id): Path<String>,
) -> Result<Json<ExecInspectResponse>, Refused> {
    Ok(Json(room.engine()?.exec_inspect(&id)?))
}
