//! Networks.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bollard::models::{
    Network, NetworkConnectRequest, NetworkCreateRequest, NetworkCreateResponse,
    NetworkDisconnectRequest, NetworkInspect, NetworkPruneResponse,
};
use serde_json::Value;

use super::parameters::Parameters;
use super::refusal::Refused;
use super::unset;
use crate::api::server::Room;

pub(super) fn routes() -> Router<Room> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(create))
        .route("/networks/prune", post(prune))
        .route("/networks/{name}", get(inspect).delete(remove))
        .route("/networks/{name}/connect", post(connect))
        .route("/networks/{name}/disconnect", post(disconnect))
}

type Answer<T> = Result<Json<T>, Refused>;
type Sent<T> = Result<Json<T>, JsonRejection>;

async fn list(State(room): State<Room>, asked: Parameters) -> Answer<Value> {
    let networks: Vec<Network> = room.engine()?.network_list(asked.filters()?).await?;
    unset::each(&networks, unset::complete_network)
}

async fn create(
    State(room): State<Room>,
    body: Sent<NetworkCreateRequest>,
) -> Result<(StatusCode, Json<NetworkCreateResponse>), Refused> {
    let Json(body) = body?;
    let created = room.engine()?.network_create(body).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn inspect(State(room): State<Room>, Path(name): Path<String>) -> Answer<Value> {
    let network: NetworkInspect = room.engine()?.network_inspect(&name).await?;
    unset::whole(&network, unset::complete_network)
}

async fn remove(State(room): State<Room>, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    room.engine()?.network_remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn prune(State(room): State<Room>, asked: Parameters) -> Answer<NetworkPruneResponse> {
    Ok(Json(room.engine()?.network_prune(asked.filters()?).await?))
}

async fn connect(
    State(room): State<Room>,
    Path(name): Path<String>,
    body: Sent<NetworkConnectRequest>,
) -> Result<StatusCode, Refused> {
    let Json(body) = body?;
    room.engine()?.network_connect(&name, body).await?;
    Ok(StatusCode::OK)
}

async fn disconnect(
    State(room): State<Room>,
    Path(name): Path<String>,
    body: Sent<NetworkDisconnectRequest>,
) -> Result<StatusCode, Refused> {
    let Json(body) = body?;
    room.engine()?.network_disconnect(&name, body).await?;
    Ok(StatusCode::OK)
}
