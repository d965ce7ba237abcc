//! A connection that stops being HTTP: a process's input and output.

use std::future::ready;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::detach_keys::DetachKeys;
use crate::engine::{Attachment, Input, LogChunk, Stream};

const CHUNK: usize = 32 * 1024;

/// Output of a terminal: as it is.
pub(super) const RAW: &str = "application/vnd.docker.raw-stream";
/// Output and errors, in frames.
pub(super) const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";

/// A connection that the client asks to upgrade.
pub(super) fn upgrade(request: &mut Request) -> Option<OnUpgrade> {
    request.headers().get(header::UPGRADE)?;
    request.extensions_mut().remove::<OnUpgrade>()
}

/// Hands the connection over; without an upgrade the client sees output and gives no input.
pub(super) fn hand_over(
    upgrade: Option<OnUpgrade>,
    attachment: Attachment,
    keys: DetachKeys,
) -> Response {
    match upgrade {
        Some(upgrade) => take_over(upgrade, attachment.terminal, ready(attachment), keys),
        None => stream(attachment),
    }
}

/// Output alone, as the answer's body.
pub(super) fn stream(attachment: Attachment) -> Response {
    let raw = attachment.terminal;
    let output = ReceiverStream::new(attachment.output);
    // The sender is kept: dropping it detaches.
    let input = attachment.input;
    let chunks = output.map(move |chunk| {
        let _open = &input;
        Ok::<_, std::convert::Infallible>(encode(&chunk, raw))
    });
    (
        [(header::CONTENT_TYPE, kind(raw))],
        Body::from_stream(chunks),
    )
        .into_response()
}

/// Takes the connection, and only then has somebody to attach: what comes together with the answer's head some clients
/// lose. That is carried out though the client has left.
pub(super) fn take_over(
    upgrade: OnUpgrade,
    terminal: bool,
    attachment: impl Future<Output = Attachment> + Send + 'static,
    keys: DetachKeys,
) -> Response {
    tokio::spawn(async move {
        let connection = upgrade.await;
        let attachment = attachment.await;
        match connection {
            Ok(connection) => join(TokioIo::new(connection), attachment, keys).await,
            Err(error) => tracing::debug!(%error, "a client left before it was attached"),
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(kind(terminal)),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    response
}

const fn kind(terminal: bool) -> &'static str {
    if terminal { RAW } else { MULTIPLEXED }
}

/// One frame of a multiplexed stream: the stream, three zeros, the length, the bytes.
pub(super) fn encode(chunk: &LogChunk, raw: bool) -> Bytes {
    if raw {
        return chunk.bytes.clone();
    }
    let stream = match chunk.stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let length = u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(8 + chunk.bytes.len());
    frame.extend_from_slice(&[stream, 0, 0, 0]);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&chunk.bytes);
    frame.into()
}

/// Until the process ends, or the client leaves.
async fn join(
    connection: impl tokio::io::AsyncRead + tokio::io::AsyncWrite,
    attachment: Attachment,
    keys: DetachKeys,
) {
    let (mut from, mut to) = tokio::io::split(connection);
    let Attachment {
        terminal,
        mut output,
        input,
    } = attachment;
    let keys = terminal.then_some(keys);
    let reading = async {
        if give(&mut from, &input, keys).await {
            return;
        }
        // The end of a client's input is not the end of its interest.
        std::future::pending::<()>().await;
    };
    let writing = async {
        while let Some(chunk) = output.recv().await {
            if to.write_all(&encode(&chunk, terminal)).await.is_err() {
                return;
            }
        }
        // The client is gone as well.
        let _ = to.shutdown().await;
    };
    tokio::pin!(reading, writing);
    tokio::select! {
        () = &mut reading => {}
        () = &mut writing => {}
    }
}

/// Passes a client's input on; whether it left by its keys.
async fn give(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    input: &mpsc::Sender<Input>,
    mut keys: Option<DetachKeys>,
) -> bool {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await.unwrap_or(0);
        if length == 0 {
            // Nobody reads it any more.
            let _ = input.send(Input::End).await;
            return false;
        }
        let piece = chunk.get(..length).unwrap_or_default();
        let (bytes, left) = match &mut keys {
            Some(keys) => keys.pass(piece),
            None => (piece.to_vec(), false),
        };
        if !bytes.is_empty() && input.send(Input::Bytes(bytes.into())).await.is_err() {
            return false;
        }
        if left {
            return true;
        }
    }
}
