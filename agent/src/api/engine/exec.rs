//! Processes that join a container.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard::models::{ExecConfig, ExecInspectResponse, ExecStartConfig, IdResponse};

use super::detach_keys::DetachKeys;
use super::hijack;
use super::parameters::Parameters;
use super::refusal::Refused;
use super::streams::window;
use crate::api::server::Room;
use crate::engine::{Attachment, EngineError};

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
) -> Result<(StatusCode, Json<IdResponse>), Refused> {
    let Json(config) = body?;
    DetachKeys::parse(config.detach_keys.as_deref())?;
    let id = room.engine()?.exec_create(&id, config)?;
    Ok((StatusCode::CREATED, Json(IdResponse { id })))
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
    let engine = room.engine()?;
    let keys = engine.exec_detach_keys(&id)?;
    let keys = DetachKeys::parse(keys.as_deref())?;
    match engine.exec_start(&id, detach, size).await {
        Ok(Some(attachment)) => Ok(hijack::hand_over(upgrade, attachment, keys)),
        Ok(None) => Ok(StatusCode::OK.into_response()),
        // Docker has taken the connection over by then, and says so on it.
        Err(error @ EngineError::Exec(_)) if !detach => {
            let said = Attachment::of_text(config.tty == Some(true), format!("{error}\r\n"));
            Ok(hijack::hand_over(upgrade, said, keys))
        }
        Err(error) => Err(error.into()),
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
