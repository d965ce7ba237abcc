//! The Docker Engine API, as far as the engine goes: what `docker` and its libraries ask, answered in
//! their forms and words.
//!
//! In: requests below `/containers`, `/images` and so on, with or without a version before them. Out: the
//! engine's answers. What it lacks is answered 404 with Docker's message.

mod archive;
mod containers;
mod detach_keys;
mod events;
mod exec;
mod hijack;
mod images;
mod networks;
mod parameters;
mod refusal;
mod stats;
mod streams;
mod system;
mod transfer;
mod version;
mod volumes;

use axum::Router;

use super::server::Room;
use crate::engine::Engine;

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
}

impl Room {
    /// The engine, where this agent runs containers.
    fn engine(&self) -> Result<&Engine, Refused> {
        self.api.engine.as_ref().ok_or_else(Refused::no_engine)
    }
}
