//! Files in and out of a container.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::parameters::Parameters;
use super::refusal::Refused;
use super::transfer;
use crate::api::server::Room;
use crate::engine::rootfs::{PathStat, Writing};

/// What is known of the path, in base 64.
const STAT: &str = "x-docker-container-path-stat";

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/containers/{id}/archive", get(read).head(look).put(write))
        .layer(DefaultBodyLimit::disable())
}

fn path(asked: &Parameters) -> Result<String, Refused> {
    let path = asked.word("path");
    path.ok_or_else(|| Refused::bad_request("bad parameter: path cannot be empty"))
}

async fn look(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<HeaderMap, Refused> {
    let (engine, path) = (room.engine()?.clone(), path(&asked)?);
    head(&engine.archive_stat(&id, &path).await?)
}

async fn read(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
) -> Result<Response, Refused> {
    let (engine, path) = (room.engine()?.clone(), path(&asked)?);
    let stat = engine.archive_stat(&id, &path).await?;
    let mut headers = head(&stat)?;
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-tar"),
    );
    let (out, theirs) = transfer::writer();
    let body = transfer::body(
        theirs,
        async move { engine.archive_get(&id, &path, out).await },
    );
    Ok((headers, body).into_response())
}

async fn write(
    State(room): State<Room>,
    Path(id): Path<String>,
    asked: Parameters,
    body: Body,
) -> Result<StatusCode, Refused> {
    let (engine, path) = (room.engine()?.clone(), path(&asked)?);
    // `copyUIDGID` changes nothing: owners are always the archive's, as with Docker.
    let writing = Writing {
        keep_kinds: asked.flag("noOverwriteDirNonDir"),
    };
    let archive = transfer::reader(body);
    engine.archive_put(&id, &path, archive, writing).await?;
    Ok(StatusCode::OK)
}

fn head(stat: &PathStat) -> Result<HeaderMap, Refused> {
    let stat = json!({
        "name": stat.name, "size": stat.size, "mode": stat.mode, "mtime": stat.mtime,
        "linkTarget": stat.link_target,
    });
    let text = STANDARD.encode(stat.to_string());
    let value = HeaderValue::try_from(text)
        .map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    let mut headers = HeaderMap::new();
    headers.insert(STAT, value);
    Ok(headers)
}
