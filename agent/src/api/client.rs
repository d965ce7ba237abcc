//! Asking the running agent.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::query::{EventQuery, WorkloadQuery};
use super::types::{ErrorBody, Event, ProbeList, Version, WorkloadDetail, WorkloadList};

/// Longest wait for the beginning of an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "the agent is not running: nobody listens on {}; \
         start it with `plimsoll agent` as root, or `systemctl start plimsoll`",
        socket.display()
    )]
    NotRunning { socket: PathBuf },
    #[error(
        "permission denied on {}: the agent answers root only; use `sudo`",
        socket.display()
    )]
    Permission { socket: PathBuf },
    #[error("cannot connect to the agent on {}", socket.display())]
    Connect { socket: PathBuf, source: io::Error },
    #[error("the agent broke off")]
    Broken(#[source] hyper::Error),
    #[error("the agent does not answer within {0} seconds")]
    Timeout(u64),
    #[error("the agent's answer is not understood; is it of another version?")]
    NotUnderstood(#[source] serde_json::Error),
    /// The agent's own words.
    #[error("{message}")]
    Refused { status: u16, message: String },
}

/// Asks over one socket; every question has its own connection.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// # Errors
    /// See [`ClientError`]; so for all questions.
    pub async fn workloads(&self, query: &WorkloadQuery) -> Result<WorkloadList, ClientError> {
        self.get(&format!("/v1/workloads?{}", query.to_query()))
            .await
    }

    /// # Errors
    /// `Refused` with 404 when there is none, 409 when there are several.
    pub async fn workload(&self, selector: &str) -> Result<WorkloadDetail, ClientError> {
        let selector = Self::segment(selector);
        self.get(&format!("/v1/workloads/{selector}")).await
    }

    /// A name as part of a path.
    pub(super) fn segment(name: &str) -> PercentEncode<'_> {
        utf8_percent_encode(name, NON_ALPHANUMERIC)
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn probes(&self) -> Result<ProbeList, ClientError> {
        self.get("/v1/probes").await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn version(&self) -> Result<Version, ClientError> {
        self.get("/v1/version").await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn events(&self, query: &EventQuery) -> Result<EventReader, ClientError> {
        let answer = self
            .ask(&format!("/v1/events?{}", query.to_query()))
            .await?;
        Ok(EventReader {
            body: answer.into_body(),
            buffer: BytesMut::new(),
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.ask(path).await?;
        read(answer).await
    }

    /// Asks for something to be done; waits as long as that may take.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        longest: Duration,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::NotUnderstood)?;
        let answer = self
            .answer(Method::POST, path, body.into(), ANSWER + longest)
            .await?;
        read(answer).await
    }

    async fn ask(&self, path: &str) -> Result<Response<Incoming>, ClientError> {
        self.answer(Method::GET, path, Bytes::new(), ANSWER).await
    }

    /// The answer, if it is a success.
    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        longest: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let answer = timeout(longest, self.send(method, path, body)).await;
        let answer = answer.map_err(|_| ClientError::Timeout(longest.as_secs()))??;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let refusal: ErrorBody = read(answer).await?;
        Err(ClientError::Refused {
            status: status.as_u16(),
            message: refusal.error,
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = TokioIo::new(stream.map_err(|error| self.not_connected(error))?);
        let (mut sender, connection) = http1::handshake(stream)
            .await
            .map_err(ClientError::Broken)?;
        // Its error comes out of the request or the body too.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "plimsoll")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        // Cannot fail: everything variable in the paths is percent-encoded.
        let request = request.unwrap_or_default();
        sender
            .send_request(request)
            .await
            .map_err(ClientError::Broken)
    }

    fn not_connected(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { socket }
            }
            ErrorKind::PermissionDenied => ClientError::Permission { socket },
            _ => ClientError::Connect { socket, source },
        }
    }
}

async fn read<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, ClientError> {
    let body = answer.into_body().collect().await;
    let body = body.map_err(ClientError::Broken)?;
    serde_json::from_reader(body.aggregate().reader()).map_err(ClientError::NotUnderstood)
}

/// Events as they come.
#[derive(Debug)]
pub struct EventReader {
    body: Incoming,
    buffer: BytesMut,
}

impl EventReader {
    /// Can [`EventReader::next`] answer without waiting?
    #[must_use]
    pub fn has_more_now(&self) -> bool {
        self.buffer.contains(&b'\n')
    }

    /// The next event; `None` when the agent has no more to say.
    ///
    /// # Errors
    /// The agent went away, or says what is not understood.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(ClientError::NotUnderstood);
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
