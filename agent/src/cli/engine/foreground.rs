//! A container in the foreground: its streams are this process's, and so is its exit status.

use tokio::try_join;

use super::super::failure::{Exit, Failure};
use super::client::{Engine, Hijacked, segment};
use super::detach::DetachKeys;
use super::proxy::Proxy;
use super::session::{self, Ended, Streams};
use super::terminal::Resizing;
use super::wait::Waiting;
use crate::api::ClientError;

/// What is joined, and what its end is.
#[derive(Clone, Debug)]
pub(super) struct Foreground {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
    pub(super) detach_keys: DetachKeys,
    pub(super) sig_proxy: bool,
    /// The end that is waited for: next-exit, removed, not-running.
    pub(super) condition: &'static str,
}

impl Foreground {
    /// Starts the container and stays with it. Streams and end are agreed upon first: nothing is missed.
    pub(super) async fn start(self, engine: &Engine, id: &str) -> Result<(), Failure> {
        let path = format!("/containers/{}/start", segment(id));
        let start = async { engine.post(&path, &[]).await.map_err(not_started) };
        self.stay(engine, id, start).await
    }

    /// Stays with one that runs.
    pub(super) async fn attach(self, engine: &Engine, id: &str) -> Result<(), Failure> {
        self.stay(engine, id, async { Ok(()) }).await
    }

    async fn stay(
        self,
        engine: &Engine,
        id: &str,
        start: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let attach = format!("/containers/{}/attach", segment(id));
        let flag = |wanted| if wanted { "1" } else { "0" };
        let query = [
            ("stream", "1"),
            ("stdin", flag(self.stdin)),
            ("stdout", flag(self.stdout)),
            ("stderr", flag(self.stderr)),
            ("detachKeys", self.detach_keys.as_str()),
        ];
        let agreed = async {
            let both = try_join!(
                engine.hijack(&attach, &query, &()),
                Waiting::register(engine, id, self.condition)
            );
            both.map_err(|error| Failure::from(error).with(Exit::NotRun))
        };
        // While the requests are under way.
        let proxy = async {
            let proxy = self.sig_proxy.then(|| Proxy::start(engine, id, self.tty));
            Ok(proxy.transpose()?)
        };
        let ((hijacked, end), mut proxy) = try_join!(agreed, proxy)?;
        let is_mortal = proxy.is_none();
        let stay = async {
            start.await?;
            self.joined(engine, id, hijacked, end, is_mortal).await
        };
        match &mut proxy {
            Some(proxy) => proxy.unless_enough(stay).await,
            None => stay.await,
        }
    }

    async fn joined(
        self,
        engine: &Engine,
        id: &str,
        hijacked: Hijacked,
        end: Waiting,
        is_mortal: bool,
    ) -> Result<(), Failure> {
        let _resizing = match self.tty {
            true => {
                Some(Resizing::start(engine, format!("/containers/{}/resize", segment(id))).await?)
            }
            false => None,
        };
        let streams = Streams {
            stdin: self.stdin,
            output: self.stdout || self.stderr,
            tty: self.tty,
            detach_keys: self.detach_keys,
            mortal: is_mortal,
        };
        ended(session::join(hijacked, streams).await?, async {
            end.status().await
        })
        .await
    }
}

/// The exit status of what has ended.
pub(super) async fn ended(
    ended: Ended,
    status: impl Future<Output = Result<i64, Failure>>,
) -> Result<(), Failure> {
    let status = match ended {
        Ended::Detached => 0,
        Ended::Signal(signal) => 128 + i64::from(signal),
        Ended::Output => status.await?,
    };
    match status {
        0 => Ok(()),
        status => Err(Failure::status(status)),
    }
}

/// Whether the command cannot be invoked, is not there, or nothing was run.
pub(super) fn not_started(error: ClientError) -> Failure {
    let message = error.to_string().to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let exit = if says(&["executable file not found", "no such file or directory"]) {
        Exit::NotFound
    } else if says(&["permission denied", "is a directory"]) {
        Exit::NotInvoked
    } else {
        Exit::NotRun
    };
    Failure::from(error).with(exit)
}
