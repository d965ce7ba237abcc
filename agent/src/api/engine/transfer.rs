//! Archives on their way: what the engine reads and writes blocking, as bodies.

use std::io::{self, Read, Write};

use axum::body::Body;
use futures_util::TryStreamExt;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use super::refusal::Refused;
use crate::engine::EngineError;

/// On their way to a client that does not read.
const AHEAD: usize = 256 * 1024;

/// What a client sends, for a thread that may block.
pub(super) fn reader(body: Body) -> impl Read + Send + 'static {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    SyncIoBridge::new(StreamReader::new(pieces))
}

/// What `write` writes, as it is written. An error ends the body before its time: its head is sent.
pub(super) fn body(
    write: impl FnOnce(&mut dyn Write) -> Result<(), EngineError> + Send + 'static,
) -> Body {
    let (ours, theirs) = tokio::io::duplex(AHEAD);
    let written = tokio::task::spawn_blocking(move || {
        let mut ours = SyncIoBridge::new(ours);
        write(&mut ours)
            .map_err(|error| io::Error::other(error.with_causes()))
            .and_then(|()| ours.shutdown())
    });
    let end = async move {
        match written.await {
            Ok(Ok(())) => Ok(bytes::Bytes::new()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "an archive broke off");
                Err(error)
            }
            Err(error) => Err(io::Error::other(error)),
        }
    };
    let pieces = ReaderStream::new(theirs);
    let end = futures_util::stream::once(end);
    Body::from_stream(futures_util::StreamExt::chain(pieces, end))
}

/// Does what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Refused::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            error,
        )),
    }
}
