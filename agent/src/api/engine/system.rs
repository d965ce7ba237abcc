//! Who answers.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bollard::models::SystemVersion;
use nix::sys::utsname::uname;

use super::info::info;
use super::platform::architecture;
use super::version::{NEWEST, OLDEST};
use crate::api::server::Room;

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/_ping", get(ping).head(ping))
        .route("/version", get(version))
        .route("/info", get(info))
}

async fn ping() -> Response {
    let headers = [
        ("api-version", NEWEST),
        ("ostype", "linux"),
        ("cache-control", "no-cache, no-store, must-revalidate"),
        (header::CONTENT_TYPE.as_str(), "text/plain; charset=utf-8"),
    ];
    (headers, "OK").into_response()
}

fn kernel() -> Option<String> {
    let name = uname().ok()?;
    Some(name.release().to_string_lossy().into_owned())
}

async fn version() -> Json<SystemVersion> {
    Json(SystemVersion {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        api_version: Some(NEWEST.to_owned()),
        min_api_version: Some(OLDEST.to_owned()),
        os: Some("linux".to_owned()),
        arch: Some(architecture().to_owned()),
        kernel_version: kernel(),
        ..SystemVersion::default()
    })
}
