//! Through systemd's D-Bus API.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};
use zbus::{Connection, connection};

/// A bus that is there takes a connection at once.
const ANSWER: Duration = Duration::from_secs(5);

/// org.freedesktop.systemd1(5).
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
trait Manager {
    /// Signals are sent only while somebody has asked for them.
    fn subscribe(&self) -> zbus::Result<()>;

    /// The job that was queued. Mode `replace`: in place of one that contradicts it.
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;

    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: ObjectPath<'_>,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}

/// Restarts a unit as `systemctl restart` does, and waits for the end of the job.
pub(super) async fn restart(bus: Option<&str>, unit: &str) -> Result<(), String> {
    let connection = timeout(ANSWER, connect(bus))
        .await
        .map_err(|_elapsed| "no bus: no answer".to_owned())?
        .map_err(|error| format!("no bus: {error}"))?;
    let job = async {
        let manager = ManagerProxy::new(&connection).await?;
        // Before the job is there, or its end could be missed.
        let mut removed = manager.receive_job_removed().await?;
        manager.subscribe().await?;
        let job = manager.restart_unit(unit, "replace").await?;
        while let Some(signal) = removed.next().await {
            let told = signal.args()?;
            if *told.job() == *job {
                return Ok(Some(told.result().to_string()));
            }
        }
        zbus::Result::Ok(None)
    };
    match job.await {
        Ok(Some(result)) if result == "done" => Ok(()),
        Ok(Some(result)) => Err(format!("the job ended with `{result}`")),
        Ok(None) => Err("the bus ended the connection".to_owned()),
        Err(zbus::Error::MethodError(name, message, _)) => {
            Err(message.unwrap_or_else(|| name.to_string()))
        }
        Err(error) => Err(error.to_string()),
    }
}

async fn connect(bus: Option<&str>) -> zbus::Result<Connection> {
    match bus {
        None => Connection::system().await,
        Some(address) => connection::Builder::address(address)?.build().await,
    }
}
