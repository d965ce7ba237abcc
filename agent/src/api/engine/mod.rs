//! The Docker Engine API, as far as the engine goes: what `docker` and its libraries ask, answered in
//! their forms and words.
//!
//! In: requests below `/containers`, `/images` and so on, with or without a version before them. Out: the
//! engine's answers. What it lacks is answered 404 with Docker's message.

mod archive;
mod containers;
mod create_body;
mod detach_keys;
mod events;
mod exec;
mod hijack;
mod images;
mod info;
mod networks;
mod parameters;
mod platform;
mod refusal;
mod stats;
mod streams;
mod system;
mod transfer;
mod unset;
mod version;
mod volumes;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::server::Room;
use crate::engine::Engine;

pub use unset::fill_unset;
pub(super) use version::strip_version;

use refusal::Refused;

/// Beside the agent's own routes.
pub(super) fn routes() -> Router<Room> {
    Router::new()
        .merge(containers::routes())
        .merge(streams::routes())
        .merge(stats::routes())
        .merge(exec::routes())
        .merge(archive::routes())
        .merge(images::routes())
        .merge(networks::routes())
        .merge(volumes::routes())
        .merge(events::routes())
        .merge(system::routes())
        .layer(middleware::from_fn(carry_through))
}

/// Whoever asked may go away before there is an answer, and hyper drops what has been begun for them: a container would
/// be left started and unwatched, or stopped and not started again.
async fn carry_through(request: Request, next: Next) -> Response {
    let answered = tokio::spawn(next.run(request)).await;
    answered.unwrap_or_else(|error| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
    })
}

impl Room {
    /// The engine, where this agent runs containers.
    fn engine(&self) -> Result<&Engine, Refused> {
        self.api.engine.as_ref().ok_or_else(Refused::no_engine)
    }
}
