//! `plimsoll wait`, and waiting for those who start containers.

use bollard::models::ContainerWaitResponse;
use clap::Args;
use hyper::Method;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::client::{Engine, nothing, segment};
use super::lines::Values;
use super::names::each;
use crate::api::ClientError;

/// Wait until containers have ended, and print their exit codes
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// An end that is waited for. The engine has agreed to tell it: nothing that happens from then on is missed.
#[derive(Debug)]
pub(super) struct Waiting(Values<ContainerWaitResponse>);

impl Waiting {
    /// For `condition`: not-running, next-exit, removed.
    pub(super) async fn register(
        engine: &Engine,
        container: &str,
        condition: &str,
    ) -> Result<Self, ClientError> {
        let path = format!("/containers/{}/wait", segment(container));
        let query = [("condition", condition)];
        let answer = engine
            .request(Method::POST, &path, &query, nothing())
            .await?;
        Ok(Self(Values::of(answer)))
    }

    /// The exit code.
    pub(super) async fn status(mut self) -> Result<i64, Failure> {
        let failure = |text: String| Failure::new(Exit::NotRun, text);
        let ended = self.0.next().await?;
        let ended = ended.ok_or_else(|| failure("the agent went away before the end".into()))?;
        match ended.error.and_then(|error| error.message) {
            Some(message) if !message.is_empty() => Err(failure(message)),
            _ => Ok(ended.status_code),
        }
    }
}

pub(super) async fn run(args: WaitArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    each(&args.names, "wait", engine, out, async |name| {
        let Waiting(mut values) = Waiting::register(engine, name, "not-running").await?;
        let ended = values.next().await?;
        Ok(ended.map_or_else(String::new, |ended| ended.status_code.to_string()))
    })
    .await
}
