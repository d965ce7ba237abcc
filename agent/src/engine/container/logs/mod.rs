//! Reading a container's log: across rotation, from its end, and as it grows.

mod entry;
mod reader;
mod stirring;

pub use entry::{LogChunk, Stream};
pub(super) use reader::end_of;

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::{Stream as Chunks, StreamExt, future, stream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use self::entry::Entry;
use self::reader::Reader;
use self::stirring::Stirring;
use super::EngineError;
use super::cell::Cell;
use super::handle::Engine;
use crate::launch::shim::LogEnd;

/// Entries read before others get a turn.
const BATCH: usize = 256;
/// Chunks on their way to a client that does not read.
const AHEAD: usize = 64;

/// Which part of a log is wanted.
#[derive(Clone, Debug, Default)]
pub struct LogsQuery {
    /// Goes on until the container has ended.
    pub follow: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub since: Option<SystemTime>,
    pub until: Option<SystemTime>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// So many lines before the end; `None`: all.
    pub tail: Option<usize>,
}

impl Engine {
    /// Reads a container's log. What cannot be read is the end of it, as an error.
    ///
    /// # Errors
    /// There is no such container, or it has no log.
    pub fn logs(
        &self,
        wanted: &str,
        query: LogsQuery,
    ) -> Result<impl Chunks<Item = std::io::Result<LogChunk>> + use<>, EngineError> {
        let cell = self.cell(wanted)?;
        if !query.stdout && !query.stderr {
            let text = "you must choose at least one stream".to_owned();
            return Err(EngineError::Invalid(text));
        }
        if cell.settings().log.off {
            let text = "configured logging driver does not support reading".to_owned();
            return Err(EngineError::Invalid(text));
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        let (failed, failure) = oneshot::channel();
        let token = self.shared.token.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = sender.closed() => {}
                sent = send(&cell, query, None, &sender) => {
                    if let Err(error) = sent {
                        tracing::warn!(container = %cell.id, %error, "log not read to its end");
                        // The client may be gone.
                        let _ = failed.send(error);
                    }
                }
            }
        });
        let failure = stream::once(failure);
        let failure = failure.filter_map(|error| future::ready(error.ok().map(Err)));
        Ok(ReceiverStream::new(receiver).map(Ok).chain(failure))
    }
}

/// Sends what is there, up to `end` if there is one, and what comes.
pub(super) async fn send(
    cell: &Arc<Cell>,
    query: LogsQuery,
    end: Option<LogEnd>,
    sender: &mpsc::Sender<LogChunk>,
) -> std::io::Result<()> {
    let mut watch = cell.watch();
    // Before it is read for the first time, so that nothing is missed after.
    let stirring = query.follow.then(|| Stirring::of(cell.dir.path()));
    let (path, tail) = (cell.dir.log().to_owned(), query.tail);
    let mut reader = blocking(move || match end {
        Some(end) => Reader::until(&path, end),
        None => Reader::open(&path, tail),
    })
    .await?;
    loop {
        // Asked first: what it wrote before it ended is then read.
        let ended = !watch.borrow_and_update().life.is_active();
        let (entries, same) = blocking(move || {
            let entries = reader.batch(BATCH)?;
            Ok((entries, reader))
        })
        .await?;
        reader = same;
        let nothing = entries.is_empty();
        for entry in entries {
            if query.until.is_some_and(|until| entry.time > until) {
                return Ok(());
            }
            if is_wanted(&query, &entry)
                && sender.send(entry.chunk(query.timestamps)).await.is_err()
            {
                return Ok(());
            }
        }
        if !nothing {
            continue;
        }
        let Some(stirring) = stirring.as_ref().filter(|_| !ended) else {
            return Ok(());
        };
        tokio::select! {
            stirred = stirring.wait() => stirred?,
            // It has ended, or is no more.
            _ = watch.changed() => {}
        }
    }
}

fn is_wanted(query: &LogsQuery, entry: &Entry) -> bool {
    let stream = match entry.stream {
        Stream::Stdout => query.stdout,
        Stream::Stderr => query.stderr,
    };
    stream && query.since.is_none_or(|since| entry.time >= since)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)?
}
