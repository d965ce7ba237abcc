//! Between a client and a container's standard descriptors.

use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::EngineError;
use super::cell::{Cell, Early};
use super::exec::Exec;
use super::handle::Engine;
use super::logs::{self, LogChunk, LogsQuery, Stream};
use super::model::Phase;
use crate::launch::Exit;
use crate::launch::shim::{Frames, Hello, Kind, Line, LogEnd};

const CHUNK: usize = 32 * 1024;
/// Chunks on their way to a client that does not read.
const AHEAD: usize = 16;
/// For a shim to set a size. A log in blocking mode may hold it up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttachQuery {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// What comes from now on.
    pub stream: bool,
    /// What came until now, first, as far as it is still in the log.
    pub logs: bool,
}

/// A client's ends. Dropping them detaches.
#[derive(Debug)]
pub struct Attachment {
    /// Output is a terminal's: one stream, raw.
    pub terminal: bool,
    /// Ends with the process.
    pub output: mpsc::Receiver<LogChunk>,
    pub input: mpsc::Sender<Input>,
}

impl Attachment {
    /// Of what never was: its output is a text.
    #[must_use]
    pub fn of_text(terminal: bool, text: String) -> Self {
        let (said, output) = mpsc::channel(1);
        let chunk = LogChunk {
            stream: Stream::Stdout,
            bytes: text.into(),
        };
        // There is room for it.
        let _ = said.try_send(chunk);
        let (input, _) = mpsc::channel(1);
        Self {
            terminal,
            output,
            input,
        }
    }
}

/// From a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Bytes(Bytes),
    /// No more comes from it.
    End,
}

/// What is passed on.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    /// The end of the client's input is the end of the process's. Not of a terminal's: whoever leaves one by its keys
    /// hangs up, too.
    pub(super) closes_input: bool,
}

/// A client's far ends.
pub(super) struct Ends {
    output: mpsc::Sender<LogChunk>,
    input: mpsc::Receiver<Input>,
}

impl Engine {
    /// Attaches a client; to one that does not run, for its next run, of which nothing is missed.
    ///
    /// # Errors
    /// It is paused, or its shim does not answer.
    pub async fn attach(
        &self,
        wanted: &str,
        query: AttachQuery,
    ) -> Result<Attachment, EngineError> {
        let cell = self.cell(wanted)?;
        let _verb = cell.verb.lock().await;
        let record = cell.require()?;
        if record.life.paused {
            return Err(EngineError::Paused(cell.id.clone()));
        }
        let settings = &record.settings;
        let runs = record.life.phase == Phase::Running;
        let hello = Hello {
            output: query.stdout || query.stderr,
            input: query.stdin && settings.takes_input(),
            // Who comes before the start is the one it is run for.
            wait_for_me: !runs,
            logs: runs && query.logs,
        };
        let wanted = Wanted {
            stdout: query.stdout,
            stderr: query.stderr,
            closes_input: settings.body.stdin_once == Some(true) && !settings.has_terminal(),
        };
        let (attachment, ends) = ends(settings.has_terminal());
        // Where the log ends for it and output begins.
        let mut logged = None;
        let line = if !query.stream {
            None
        } else if runs {
            let line = self.line_of(&cell, hello).await?;
            logged = line.welcome.logged;
            Some(Connection::Line(line))
        } else {
            let log = cell.dir.log();
            logged = Some(logs::end_of(log).map_err(EngineError::io("look at", log))?);
            let (sender, receiver) = oneshot::channel();
            cell.attach_early(Early {
                hello,
                line: sender,
            });
            Some(Connection::Early(receiver))
        };
        self.shared.events.container(&cell, "attach", &[]);
        let token = self.shared.token.clone();
        let own = Arc::clone(&cell);
        let log = query.logs.then_some(logged);
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                passed = serve(own, log, line, wanted, ends) => {
                    if let Err(error) = passed {
                        tracing::debug!(%error, "client detached");
                    }
                }
            }
        });
        Ok(attachment)
    }

    /// Tells a container's terminal the size of the client's window.
    ///
    /// # Errors
    /// It does not run.
    pub async fn resize(&self, wanted: &str, rows: u16, columns: u16) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        if !cell.record().life.runs() {
            return Err(EngineError::NotRunning(cell.id.clone()));
        }
        let id = cell.id.clone();
        self.blocking(move |shared| {
            let state = shared.workloads().join(id.as_str());
            set_size(&state, rows, columns).map_err(EngineError::io("call the shim in", &state))
        })
        .await?;
        let attributes = [("height", rows.to_string()), ("width", columns.to_string())];
        self.shared.events.container(&cell, "resize", &attributes);
        Ok(())
    }

    async fn line_of(&self, cell: &Cell, hello: Hello) -> Result<Line, EngineError> {
        let id = cell.id.clone();
        self.blocking(move |shared| {
            let state = shared.workloads().join(id.as_str());
            Line::open(&state, &hello).map_err(EngineError::io("call the shim in", &state))
        })
        .await
    }
}

/// How the process is reached.
enum Connection {
    Line(Line),
    /// Once it is made.
    Early(oneshot::Receiver<Line>),
}

/// The log first, if it is wanted, up to its end if that is known.
async fn serve(
    cell: Arc<Cell>,
    log: Option<Option<LogEnd>>,
    connection: Option<Connection>,
    wanted: Wanted,
    ends: Ends,
) -> io::Result<()> {
    if let Some(end) = log {
        let query = LogsQuery {
            stdout: wanted.stdout,
            stderr: wanted.stderr,
            ..LogsQuery::default()
        };
        logs::send(&cell, query, end, &ends.output).await?;
    }
    // Who waits for a container keeps it from nothing.
    drop(cell);
    let line = match connection {
        None => return Ok(()),
        Some(Connection::Line(line)) => line,
        Some(Connection::Early(early)) => {
            tokio::select! {
                () = ends.output.closed() => return Ok(()),
                line = early => match line {
                    Ok(line) => line,
                    // It could not be started.
                    Err(_) => return Ok(()),
                },
            }
        }
    };
    pass(line, wanted, ends, None).await
}

/// Sets a terminal's size, and returns when that is done.
pub(super) fn set_size(state: &Path, rows: u16, columns: u16) -> io::Result<()> {
    let mut line = Line::open(state, &Hello::default())?;
    line.resize(rows, columns)?;
    let (mut stream, _) = line.into_stream();
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The shim hangs up when it has read everything.
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// The two sides of an attachment.
pub(super) fn ends(terminal: bool) -> (Attachment, Ends) {
    let (output_sender, output) = mpsc::channel(AHEAD);
    let (input, input_receiver) = mpsc::channel(AHEAD);
    let attachment = Attachment {
        terminal,
        output,
        input,
    };
    let ends = Ends {
        output: output_sender,
        input: input_receiver,
    };
    (attachment, ends)
}

/// Passes on until the process has ended or the client is gone. An exec's end is recorded before the
/// client sees that of its output.
pub(super) async fn pass(
    line: Line,
    wanted: Wanted,
    ends: Ends,
    exec: Option<Arc<Exec>>,
) -> io::Result<()> {
    let (stream, frames) = line.into_stream();
    stream.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(stream)?.into_split();
    let Ends { output, input } = ends;
    tokio::select! {
        () = output.closed() => Ok(()),
        passed = pass_output(reader, frames, wanted, &output, exec) => passed,
        failed = pass_input(writer, wanted, input) => failed,
    }
}

async fn pass_output(
    mut stream: OwnedReadHalf,
    mut frames: Frames,
    wanted: Wanted,
    output: &mpsc::Sender<LogChunk>,
    exec: Option<Arc<Exec>>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        while let Some(frame) = frames.next_frame().map_err(io::Error::other)? {
            let stream = match frame.kind {
                Kind::Output if wanted.stdout => Stream::Stdout,
                Kind::Error if wanted.stderr => Stream::Stderr,
                Kind::Exit => {
                    let exit: Exit = serde_json::from_slice(&frame.payload)?;
                    if let Some(exec) = exec {
                        exec.end(i64::from(exit.code));
                    }
                    return Ok(());
                }
                _ => continue,
            };
            let bytes = frame.payload.into();
            if output.send(LogChunk { stream, bytes }).await.is_err() {
                return Ok(());
            }
        }
        match stream.read(&mut chunk).await? {
            0 => return Ok(()),
            length => frames.push(chunk.get(..length).unwrap_or_default()),
        }
    }
}

/// Returns with an error alone: output goes on when there is no more input.
async fn pass_input(
    mut stream: OwnedWriteHalf,
    wanted: Wanted,
    mut input: mpsc::Receiver<Input>,
) -> io::Result<()> {
    let mut encoded = Vec::new();
    while let Some(piece) = input.recv().await {
        encoded.clear();
        match &piece {
            Input::Bytes(bytes) if !bytes.is_empty() => Kind::Input.encode(bytes, &mut encoded),
            Input::End if wanted.closes_input => Kind::Input.encode(&[], &mut encoded),
            Input::Bytes(_) | Input::End => continue,
        }
        if stream.write_all(&encoded).await.is_err() {
            // The process is ending: what it still says is read.
            break;
        }
    }
    // Its end would be that of the client.
    let _open = stream;
    std::future::pending().await
}
