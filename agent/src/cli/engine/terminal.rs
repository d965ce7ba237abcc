//! The terminal the command line runs in: raw while a process in a container has it, and its size.

use std::io::{self, IsTerminal};

use rustix::termios::{self, OptionalActions, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::client::Engine;

/// Standard input in raw mode, until dropped: at the end, on an error, in a panic.
#[derive(Debug)]
pub(super) struct RawMode {
    before: Termios,
}

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: u16,
    pub(super) columns: u16,
}

/// Keeps a process's terminal as large as this one, until dropped.
#[derive(Debug)]
pub(super) struct Resizing(JoinHandle<()>);

impl RawMode {
    /// `None` when standard input is no terminal.
    pub(super) fn enter() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = termios::tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing restored.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Of the terminal at standard output.
pub(super) fn size() -> Option<Size> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some(Size {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}

impl Resizing {
    /// Tells `path` (`/containers/ID/resize`, `/exec/ID/resize`) the size now and whenever it changes.
    pub(super) async fn start(engine: &Engine, path: String) -> io::Result<Self> {
        let mut changes = signal(SignalKind::window_change())?;
        tell(engine, &path).await;
        let engine = engine.clone();
        Ok(Self(tokio::spawn(async move {
            while changes.recv().await.is_some() {
                tell(&engine, &path).await;
            }
        })))
    }
}

impl Drop for Resizing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell(engine: &Engine, path: &str) {
    let Some(size) = size() else { return };
    let (rows, columns) = (size.rows.to_string(), size.columns.to_string());
    let query = [("h", rows.as_str()), ("w", columns.as_str())];
    // A process that has ended meanwhile has no size.
    let _ = engine.post(path, &query).await;
}
