//! Through Docker's Engine API, as this agent, dockerd and podman speak it.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use tokio::time::timeout;

/// An engine that is there answers a question about itself at once.
const ANSWER: Duration = Duration::from_secs(5);
/// bollard's own limit, beyond the one of a restart as a whole.
const CLIENT_TIMEOUT_SECONDS: u64 = 600;

/// Restarts a container as `docker restart` does: its stop signal, its stop timeout, SIGKILL, start.
pub(super) async fn restart(socket: &Path, id: &str) -> Result<(), String> {
    if socket.as_os_str().is_empty() {
        return Err("its API is switched off in [attribution]".to_owned());
    }
    let path = socket.to_string_lossy();
    let unreachable = |reason: String| format!("no API at {path}: {reason}");
    let client = Client::connect_with_unix(&path, CLIENT_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        .map_err(|error| unreachable(cause(&error)))?;
    let client = timeout(ANSWER, client.negotiate_version())
        .await
        .map_err(|_elapsed| unreachable("no answer".to_owned()))?
        .map_err(|error| unreachable(cause(&error)))?;
    let restarted = client.restart_container(id, None).await;
    restarted.map_err(|error| match error {
        ApiError::DockerResponseServerError { message, .. } => message,
        other => cause(&other),
    })
}

/// The innermost cause says it; the layers above are HTTP's.
fn cause(error: &ApiError) -> String {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    reason
}
