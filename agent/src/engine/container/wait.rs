//! Waiting for a container's end.

use std::future::Future;

use bollard::models::ContainerWaitResponse;

use super::EngineError;
use super::handle::Engine;
use super::model::Record;

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitCondition {
    /// It does not run: now, or once it does not.
    #[default]
    NotRunning,
    /// Its next end, even if it is started again at once.
    NextExit,
    /// It is no more.
    Removed,
}

impl WaitCondition {
    /// As the API has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "not-running" => Self::NotRunning,
            "next-exit" => Self::NextExit,
            "removed" => Self::Removed,
            _ => return None,
        })
    }
}

impl Engine {
    /// Waits. Nothing that happens after the call is missed, even before the future is polled.
    ///
    /// # Errors
    /// There is no such container.
    pub fn wait(
        &self,
        wanted: &str,
        condition: WaitCondition,
    ) -> Result<impl Future<Output = Result<ContainerWaitResponse, EngineError>> + use<>, EngineError>
    {
        let cell = self.cell(wanted)?;
        let mut watch = cell.watch();
        let before = watch.borrow_and_update().life.exits;
        drop(cell);
        Ok(async move {
            let mut last = watch.borrow().clone();
            loop {
                let met = match condition {
                    // As with Docker, also if its restart policy starts it again.
                    WaitCondition::NotRunning => !last.life.is_active() || last.life.exits > before,
                    WaitCondition::NextExit => last.life.exits > before,
                    WaitCondition::Removed => last.removed,
                };
                if met || watch.changed().await.is_err() {
                    return Ok(response(&last));
                }
                last = watch.borrow_and_update().clone();
            }
        })
    }
}

/// Why it could not be started, whoever wanted to start it is told: `Error` is for the waiting itself.
fn response(record: &Record) -> ContainerWaitResponse {
    ContainerWaitResponse {
        status_code: record.life.exit_code,
        error: None,
    }
}
