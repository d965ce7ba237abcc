//! A container's output and input: attach, logs, the size of its window.

use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;

use super::detach_keys::DetachKeys;
use super::hijack::{self, MULTIPLEXED, RAW};
use super::parameters::Parameters;
use super::refusal::Refused;
use crate::api::server::Room;
use crate::engine::{AttachQuery, LogsQuery};

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/containers/{id}/attach", post(attach))
        .route("/containers/{id}/logs", get(logs))
        .route("/containers/{id}/resize", post(resize))
}

async fn attach(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
    mut request: Request,
) -> Result<Response, Refused> {
    let keys = DetachKeys::parse(asked.text("detachKeys"))?;
    let query = AttachQuery {
        stdin: asked.flag("stdin"),
        stdout: asked.flag("stdout"),
        stderr: asked.flag("stderr"),
        stream: asked.flag("stream"),
        logs: asked.flag("logs"),
    };
    let attachment = room.engine()?.attach(&id, query).await?;
    let upgrade = hijack::upgrade(&mut request);
    Ok(hijack::hand_over(upgrade, attachment, keys))
}

async fn logs(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<Response, Refused> {
    let tail = match asked.text("tail") {
        None | Some("" | "all") => None,
        // As Docker has it: all, for what is no number.
        Some(text) => text.parse().ok(),
    };
    let query = LogsQuery {
        follow: asked.flag("follow"),
        stdout: asked.flag("stdout"),
        stderr: asked.flag("stderr"),
        since: asked.time("since")?,
        until: asked.time("until")?,
        timestamps: asked.flag("timestamps"),
        tail,
    };
    let engine = room.engine()?;
    let terminal = engine.has_terminal(&id)?;
    let chunks = engine.logs(&id, query)?;
    // An error breaks the body off: its head is sent.
    let frames = chunks.map(move |chunk| Ok::<_, io::Error>(hijack::encode(&chunk?, terminal)));
    let kind = if terminal { RAW } else { MULTIPLEXED };
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(frames)).into_response())
}

async fn resize(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<StatusCode, Refused> {
    let (rows, columns) = window(&asked)?;
    room.engine()?.resize(&id, rows, columns).await?;
    Ok(StatusCode::OK)
}

/// Rows and columns.
pub(super) fn window(asked: &Parameters) -> Result<(u16, u16), Refused> {
    let side = |name| {
        let number = asked.number::<u16>(name)?;
        number.ok_or_else(|| Refused::bad_request(format!("invalid {name}: a number is missing")))
    };
    Ok((side("h")?, side("w")?))
}
