//! Archives on their way: what the engine reads and writes blocking, as bodies.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::DuplexStream;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use crate::engine::EngineError;

/// On their way to a client that does not read.
const AHEAD: usize = 256 * 1024;

/// What a client sends, for a thread that may block.
pub(super) fn reader(body: Body) -> impl Read + Send + 'static {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    SyncIoBridge::new(StreamReader::new(pieces))
}

/// What a blocking writer is given, and the body that it becomes.
pub(super) fn writer() -> (SyncIoBridge<DuplexStream>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(AHEAD);
    (SyncIoBridge::new(ours), theirs)
}

/// A body of what is written meanwhile. An error ends it before its time: its head is sent.
pub(super) fn body(
    theirs: DuplexStream,
    writing: impl Future<Output = Result<(), EngineError>> + Send + 'static,
) -> Body {
    let written = tokio::spawn(writing);
    let end = async move {
        let reason = match written.await {
            Ok(Ok(())) => return Ok(Bytes::new()),
            Ok(Err(error)) => error.with_causes(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(reason, "an archive broke off");
        Err(io::Error::other(reason))
    };
    Body::from_stream(ReaderStream::new(theirs).chain(stream::once(end)))
}
