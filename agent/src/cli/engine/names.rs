//! One verb for several names: each is done, those that fail are told, the others go on.

use futures_util::{StreamExt, stream};

use super::super::failure::Failure;
use super::super::note;
use super::super::output::Output;
use super::client::Engine;
use super::foreign;
use crate::api::ClientError;

/// Names that are dealt with at the same time.
const AT_ONCE: usize = 50;

/// Does `what` to each of `names`; prints what it returns, if anything, in the order of the names.
pub(super) async fn each(
    names: &[String],
    verb: &str,
    engine: &Engine,
    out: &mut Output,
    what: impl AsyncFn(&str) -> Result<String, ClientError>,
) -> Result<(), Failure> {
    let done = stream::iter(names).map(async |name| (name, what(name).await));
    let mut done = std::pin::pin!(done.buffered(AT_ONCE));
    let mut failed = false;
    while let Some((name, result)) = done.next().await {
        match result {
            Ok(line) if line.is_empty() => {}
            Ok(line) => {
                out.text(&line)?;
                out.text("\n")?;
                out.flush()?;
            }
            Err(error) => {
                failed = true;
                let failure = foreign::explain(error, name, verb, engine).await;
                failure.lines().iter().for_each(|line| note(line));
            }
        }
    }
    if failed { Err(Failure::told()) } else { Ok(()) }
}
