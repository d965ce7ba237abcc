//! Who answers.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bollard::models::{
    SystemInfo, SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum, SystemVersion,
};
use nix::sys::utsname::uname;

use super::parameters::Parameters;
use super::platform::architecture;
use super::refusal::Refused;
use super::version::{NEWEST, OLDEST};
use crate::api::server::Room;
use crate::cgroup::{Layout, Mode};
use crate::engine::{Filters, ListQuery};

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

async fn info(State(room): State<Room>, _asked: Parameters) -> Result<Json<SystemInfo>, Refused> {
    let engine = room.engine()?;
    let all = ListQuery {
        all: true,
        ..ListQuery::default()
    };
    let containers = engine.list(all).await?;
    let in_state = |state: &str| {
        let matching = containers
            .iter()
            .filter(|container| container.state.is_some_and(|own| own.to_string() == state));
        i64::try_from(matching.count()).ok()
    };
    let images = engine.image_list(Filters::new(), true).await?;
    let name = uname().ok();
    let name = name.map(|name| name.nodename().to_string_lossy().into_owned());
    let version = match Layout::detect().ok().map(|layout| layout.mode()) {
        Some(Mode::Unified) => SystemInfoCgroupVersionEnum::_2,
        _ => SystemInfoCgroupVersionEnum::_1,
    };
    Ok(Json(SystemInfo {
        containers: i64::try_from(containers.len()).ok(),
        containers_running: in_state("running"),
        containers_paused: in_state("paused"),
        containers_stopped: in_state("exited"),
        images: i64::try_from(images.len()).ok(),
        driver: Some("overlay2".to_owned()),
        logging_driver: Some("json-file".to_owned()),
        cgroup_driver: Some(SystemInfoCgroupDriverEnum::CGROUPFS),
        cgroup_version: Some(version),
        kernel_version: kernel(),
        os_type: Some("linux".to_owned()),
        architecture: Some(std::env::consts::ARCH.to_owned()),
        ncpu: std::thread::available_parallelism()
            .ok()
            .and_then(|count| i64::try_from(count.get()).ok()),
        docker_root_dir: Some(engine.data_dir().display().to_string()),
        name,
        server_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        default_runtime: Some("plimsoll".to_owned()),
        ..SystemInfo::default()
    }))
}
