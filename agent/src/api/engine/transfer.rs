//! Archives on their way: what the engine reads and writes blocking, as bodies.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::DuplexStream;
use tokio::runtime::Handle;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use crate::engine::EngineError;

/// On their way to a client that does not read.
const AHEAD: usize = 256 * 1024;

/// Longest rest of an archive that is still read: what pads it.
const REST: u64 = 1 << 20;

/// A body that is read to its end although nobody needs that: the client is still writing.
struct ToTheEnd<R: Read>(R);

impl<R: Read> Read for ToTheEnd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Drop for ToTheEnd<R> {
    fn drop(&mut self) {
        // Nothing was begun: a thread of the runtime may not wait for it.
        if Handle::try_current().is_ok() {
            return;
        }
        // What comes after an archive's end is of no interest.
        let _ = io::copy(&mut self.0.by_ref().take(REST), &mut io::sink());
    }
}

/// What a client sends, for a thread that may block.
pub(super) fn reader(body: Body) -> impl Read + Send + 'static {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    ToTheEnd(SyncIoBridge::new(StreamReader::new(pieces)))
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
