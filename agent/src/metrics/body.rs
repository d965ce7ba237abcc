//! A scrape's body on its way to the client: made on a blocking thread, handed over through a short
//! bounded channel, and known to be whole or not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics::own::OwnMetrics;
use crate::metrics::scrape::Closed;

/// Chunks in flight for one client.
const CHUNKS: usize = 4;
/// A client that takes no chunk for so long is given up.
const STALL: Duration = Duration::from_secs(10);

enum Part {
    Chunk(Bytes),
    /// Tells the end of the text from the end of a producer that stopped early.
    End,
}

/// The producer's end.
pub(crate) struct ChunkSender {
    parts: mpsc::Sender<Part>,
    runtime: Handle,
    abort: CancellationToken,
}

/// The client's end.
pub(crate) struct ScrapeBody {
    parts: mpsc::Receiver<Part>,
    /// Taken when the body is whole.
    delivery: Option<Delivery>,
}

/// What is to be done when a scrape ends.
pub(crate) struct Delivery {
    pub(crate) own: Arc<OwnMetrics>,
    pub(crate) scraped: watch::Sender<u64>,
    pub(crate) tick: u64,
    pub(crate) started: Instant,
    /// Lets the next scrape in.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// Both ends. `abort` stops the producer. To be called on the runtime.
pub(crate) fn channel(delivery: Delivery, abort: CancellationToken) -> (ChunkSender, ScrapeBody) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    (
        ChunkSender {
            parts: sender,
            runtime: Handle::current(),
            abort,
        },
        ScrapeBody {
            parts: receiver,
            delivery: Some(delivery),
        },
    )
}

impl ChunkSender {
    /// Waits for room. Not to be called on the runtime's own threads.
    pub(crate) fn send(&self, chunk: Bytes) -> Result<(), Closed> {
        self.part(Part::Chunk(chunk))
    }

    /// Says that this was all.
    pub(crate) fn end(self) -> Result<(), Closed> {
        self.part(Part::End)
    }

    fn part(&self, part: Part) -> Result<(), Closed> {
        self.runtime.block_on(async {
            tokio::select! {
                sent = self.parts.send_timeout(part, STALL) => sent.map_err(|_| Closed),
                () = self.abort.cancelled() => Err(Closed),
            }
        })
    }
}

impl Stream for ScrapeBody {
    type Item = std::io::Result<Bytes>;

    /// Ends with an error when the producer stopped early, so that the client sees a broken
    /// transfer and not a short text that looks whole.
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let part = ready!(self.parts.poll_recv(context));
        Poll::Ready(match part {
            Some(Part::Chunk(chunk)) => {
                if let Some(delivery) = &self.delivery {
                    delivery.own.bytes_sent(chunk.len());
                }
                Some(Ok(chunk))
            }
            Some(Part::End) => {
                if let Some(delivery) = self.delivery.take() {
                    delivery.finish();
                }
                None
            }
            None if self.delivery.is_some() => Some(Err(std::io::Error::other(
                "the scrape was given up before its end",
            ))),
            None => None,
        })
    }
}

impl Drop for ScrapeBody {
    fn drop(&mut self) {
        if let Some(delivery) = &self.delivery {
            delivery.own.scrape_aborted();
        }
    }
}

impl Delivery {
    /// The HTTP side asked for more after the last chunk: it has taken them all. (What it still
    /// holds in its own and the socket's buffers can be lost; nothing tells.)
    fn finish(self) {
        let Self {
            own,
            scraped,
            tick,
            started,
            slot,
        } = self;
        own.scrape_finished(started.elapsed());
        // Two scrapes at once may end in either order.
        scraped.send_if_modified(|last| {
            let newer = tick > *last;
            *last = tick.max(*last);
            newer
        });
        drop(slot);
    }
}
