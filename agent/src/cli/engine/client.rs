//! Asking over the socket in the words of Docker's Engine API.
//!
//! The types are `bollard`'s; the requests are our own, because of three things its client does: it holds
//! a terminal's output back until a line ends, drops what it does not know of an answer, and asks for the
//! version first. Paths have no version: a server answers those with its newest.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use crate::api::{Client, ClientError};

/// What an agent that has no such route answers.
const NO_ENGINE: &str = "the agent on this socket runs no containers";

/// What is sent.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The names and values after `?` in a path.
pub(crate) type Query<'a> = &'a [(&'a str, &'a str)];

/// Who answers on the socket: the Engine API, and the agent's own about all workloads.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    pub(crate) agent: Client,
}

/// A connection that was taken over from HTTP.
#[derive(Debug)]
pub(super) struct Hijacked {
    pub(super) stream: UnixStream,
    /// What came with the answer's head.
    pub(super) early: Bytes,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "error")]
    message: String,
}

impl Engine {
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            agent: Client::new(socket),
        }
    }

    /// `GET` of what is understood.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<T, ClientError> {
        let answer = self.get_bytes(path, query).await?;
        serde_json::from_slice(&answer).map_err(ClientError::NotUnderstood)
    }

    /// `GET` of what is passed on as it is.
    pub(super) async fn get_bytes(
        &self,
        path: &str,
        query: Query<'_>,
    ) -> Result<Bytes, ClientError> {
        let answer = self.request(Method::GET, path, query, nothing()).await?;
        whole(answer).await
    }

    /// `POST` whose answer says nothing more than that it is done.
    pub(crate) async fn post(&self, path: &str, query: Query<'_>) -> Result<(), ClientError> {
        let answer = self.request(Method::POST, path, query, nothing()).await?;
        whole(answer).await.map(drop)
    }

    /// `POST` of a value.
    pub(super) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::NotUnderstood)?;
        let answer = self.request(Method::POST, path, query, bytes(body)).await?;
        let answer = whole(answer).await?;
        // Where there is nothing to say, servers differ in how they say it.
        let answer = if answer.is_empty() {
            b"null"
        } else {
            &answer[..]
        };
        serde_json::from_slice(answer).map_err(ClientError::NotUnderstood)
    }

    /// [`Engine::post_json`] whose answer does not matter.
    pub(super) async fn tell(
        &self,
        path: &str,
        query: Query<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<(), ClientError> {
        let _: Option<IgnoredAny> = self.post_json(path, query, body).await?;
        Ok(())
    }

    /// `DELETE`; the answer's body.
    pub(super) async fn delete(&self, path: &str, query: Query<'_>) -> Result<Bytes, ClientError> {
        let answer = self.request(Method::DELETE, path, query, nothing()).await?;
        whole(answer).await
    }

    /// The answer as soon as its head is there, if it is a success.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Body,
    ) -> Result<Response<Incoming>, ClientError> {
        let (mut sender, connection) = self.connect().await?;
        // Its error comes out of the request or the body too.
        tokio::spawn(connection);
        let request = head(method, &target(path, query)).body(body);
        let answer = sender
            .send_request(request.map_err(|error| invalid(&error))?)
            .await;
        success(answer.map_err(ClientError::Broken)?).await
    }

    /// Takes the connection over for the streams of a process.
    pub(super) async fn hijack(
        &self,
        path: &str,
        query: Query<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<Hijacked, ClientError> {
        let (mut sender, connection) = self.connect().await?;
        tokio::spawn(connection.with_upgrades());
        let body = serde_json::to_vec(body).map_err(ClientError::NotUnderstood)?;
        let request = head(Method::POST, &target(path, query))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp")
            .body(bytes(body));
        let answer = sender
            .send_request(request.map_err(|error| invalid(&error))?)
            .await;
        let answer = success(answer.map_err(ClientError::Broken)?).await?;
        let upgraded = hyper::upgrade::on(answer).await;
        let parts = upgraded.map_err(ClientError::Broken)?;
        let parts = parts.downcast::<TokioIo<UnixStream>>().map_err(|_| {
            let source = io::Error::other("the connection is not the one that was made");
            let socket = self.socket.clone();
            ClientError::Connect { socket, source }
        })?;
        Ok(Hijacked {
            stream: parts.io.into_inner(),
            early: parts.read_buf,
        })
    }

    async fn connect(
        &self,
    ) -> Result<
        (
            http1::SendRequest<Body>,
            http1::Connection<TokioIo<UnixStream>, Body>,
        ),
        ClientError,
    > {
        let socket = || self.socket.clone();
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { socket: socket() }
            }
            ErrorKind::PermissionDenied => ClientError::Permission { socket: socket() },
            _ => ClientError::Connect {
                socket: socket(),
                source,
            },
        })?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        handshake.map_err(ClientError::Broken)
    }
}

/// A name as part of a path.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// What is sent of a stream.
pub(super) fn streamed(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
}

pub(super) fn nothing() -> Body {
    bytes(Vec::new())
}

fn bytes(body: Vec<u8>) -> Body {
    let never = |error: Infallible| match error {};
    Full::new(Bytes::from(body)).map_err(never).boxed_unsync()
}

fn target(path: &str, query: Query<'_>) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", encoded.extend_pairs(query).finish())
}

fn head(method: Method, target: &str) -> hyper::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "plimsoll")
        .header(header::CONTENT_TYPE, "application/json")
}

/// Cannot be: everything variable in the paths is percent-encoded.
fn invalid(error: &hyper::http::Error) -> ClientError {
    ClientError::Refused {
        status: StatusCode::BAD_REQUEST.as_u16(),
        message: error.to_string(),
    }
}

async fn success(answer: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let status = answer.status();
    if status.is_success()
        || status == StatusCode::SWITCHING_PROTOCOLS
        || status == StatusCode::NOT_MODIFIED
    {
        return Ok(answer);
    }
    let body = whole(answer).await?;
    let message = match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => refusal.message.trim().to_owned(),
        Err(_) if status == StatusCode::NOT_FOUND => NO_ENGINE.to_owned(),
        Err(_) => String::from_utf8_lossy(&body).trim().to_owned(),
    };
    Err(ClientError::Refused {
        status: status.as_u16(),
        message,
    })
}

async fn whole(answer: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = answer.into_body().collect().await;
    let mut body = body.map_err(ClientError::Broken)?.aggregate();
    Ok(body.copy_to_bytes(body.remaining()))
}

/// The status with which it was refused.
pub(crate) fn refused(error: &ClientError) -> Option<u16> {
    match error {
        ClientError::Refused { status, .. } => Some(*status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded() {
        assert_eq!(target("/a", &[]), "/a");
        let query = [("filters", r#"{"name":["a b"]}"#), ("all", "1")];
        let encoded = "/a?filters=%7B%22name%22%3A%5B%22a+b%22%5D%7D&all=1";
        assert_eq!(target("/a", &query), encoded);
        assert_eq!(segment("a/../b"), "a%2F%2E%2E%2Fb");
    }
}
