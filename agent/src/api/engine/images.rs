//! Images.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard::models::{
    ImageDeleteResponseItem, ImageHistoryResponseItem, ImageInspect, ImagePruneResponse,
    ImageSummary,
};
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::refusal::Refused;
use super::{transfer, unset};
use crate::api::server::Room;

/// Names have slashes in them, which a route's part cannot: what follows the last is the verb.
pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/images/json", get(list))
        .route("/images/load", post(load))
        .route("/images/create", post(create))
        .route("/images/prune", post(prune))
        .route("/images/get", get(save_several))
        .route("/images/{*name}", get(one).post(tag).delete(remove))
        .layer(DefaultBodyLimit::disable())
}

type Answer<T> = Result<Json<T>, Refused>;

async fn list(State(room): State<Room>, asked: Parameters) -> Answer<Value> {
    let (filters, all) = (asked.filters()?, asked.flag("all"));
    let images: Vec<ImageSummary> = room.engine()?.image_list(filters, all).await?;
    unset::each(&images, unset::complete_image_summary)
}

async fn one(State(room): State<Room>, Path(path): Path<String>) -> Result<Response, Refused> {
    let engine = room.engine()?;
    match path.rsplit_once('/') {
        Some((name, "json")) => {
            let image: ImageInspect = engine.image_inspect(name).await?;
            Ok(unset::whole(&image, unset::complete_image)?.into_response())
        }
        Some((name, "history")) => {
            let history: Vec<ImageHistoryResponseItem> = engine.image_history(name).await?;
            Ok(Json(history).into_response())
        }
        Some((name, "get")) => save(&room, vec![name.to_owned()]).await,
        _ => Err(no_such_path()),
    }
}

fn no_such_path() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "page not found")
}

async fn tag(
    State(room): State<Room>,
    Path(path): Path<String>,
    asked: Parameters,
) -> Result<StatusCode, Refused> {
    let name = path.strip_suffix("/tag").ok_or_else(no_such_path)?;
    let repository = asked.text("repo").unwrap_or_default();
    let target = match asked.word("tag") {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_owned(),
    };
    room.engine()?.image_tag(name, &target).await?;
    Ok(StatusCode::CREATED)
}

async fn remove(
    State(room): State<Room>,
    Path(name): Path<String>,
    asked: Parameters,
) -> Answer<Vec<ImageDeleteResponseItem>> {
    let force = asked.flag("force");
    Ok(Json(room.engine()?.image_remove(&name, force).await?))
}

async fn prune(State(room): State<Room>, asked: Parameters) -> Answer<ImagePruneResponse> {
    Ok(Json(room.engine()?.image_prune(&asked.filters()?).await?))
}

async fn load(State(room): State<Room>, body: Body) -> Result<Response, Refused> {
    let (engine, reader) = (room.engine()?, transfer::reader(body));
    let loaded = engine.image_load(reader).await?;
    let lines = loaded
        .iter()
        .map(|line| json!({"stream": format!("{line}\n")}));
    Ok(messages(lines))
}

/// With `fromSrc=-` an import; a pull from a registry is not there.
async fn create(
    State(room): State<Room>,
    asked: Parameters,
    body: Body,
) -> Result<Response, Refused> {
    if let Some(image) = asked.word("fromImage") {
        let text = format!("pull of {image}: registries are not supported yet; use load or import");
        return Err(Refused::new(StatusCode::NOT_IMPLEMENTED, text));
    }
    if asked.text("fromSrc") != Some("-") {
        return Err(Refused::bad_request(
            "fromSrc: only - is supported, a root file system in the body",
        ));
    }
    let name = asked
        .word("repo")
        .map(|repository| match asked.word("tag") {
            Some(tag) => format!("{repository}:{tag}"),
            None => repository,
        });
    let changes: Vec<String> = asked.all("changes").map(str::to_owned).collect();
    let message = asked.text("message").unwrap_or_default().to_owned();
    let engine = room.engine()?;
    let reader = transfer::reader(body);
    let id = engine.image_import(reader, name, changes, message).await?;
    Ok(messages([json!({"status": id})].into_iter()))
}

async fn save_several(State(room): State<Room>, asked: Parameters) -> Result<Response, Refused> {
    save(&room, asked.all("names").map(str::to_owned).collect()).await
}

async fn save(room: &Room, names: Vec<String>) -> Result<Response, Refused> {
    let engine = room.engine()?.clone();
    engine.image_save_foreseen(names.clone()).await?;
    let (out, theirs) = transfer::writer();
    let body = transfer::body(theirs, async move { engine.image_save(names, out).await });
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

fn messages(lines: impl Iterator<Item = serde_json::Value>) -> Response {
    let text: String = lines.map(|line| format!("{line}\r\n")).collect();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
