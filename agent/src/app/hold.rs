//! What holds: the audit, the enforcer and the policies, from the first to the last.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use crate::api::{Hold, policies_of};
use crate::cgroup::Layout;
use crate::config::{Config, EnforceMode};
use crate::enforce::audit::Audit;
use crate::ledger::{EventLog, Snapshot};
use crate::{enforce, policy};

/// Orders of policies that may wait for the enforcer.
const ORDERS: usize = 1_024;

/// The threads.
pub(super) struct Holding {
    policy: JoinHandle<()>,
    enforcer: JoinHandle<()>,
    stop: CancellationToken,
    handle: enforce::Handle,
}

/// Takes up what an earlier agent left, then starts to decide.
pub(super) fn start(
    config: &Config,
    layout: Layout,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    log: EventLog,
) -> Result<(Hold, Holding), Error> {
    let set = policies_of(&config.policy.file).map_err(Error::Policy)?;
    let audit = Audit::start(&config.audit).map_err(Error::Runtime)?;
    let (orders, ordered) = mpsc::channel(ORDERS);
    let (handle, enforcer) = enforce::start(enforce::Parts {
        layout: Arc::new(layout.clone()),
        settings: enforce::Settings {
            state_dir: config.enforce.state_dir.clone(),
            mode: mode(config.enforce.mode),
            protect: set.protect.clone(),
            guardian: None,
        },
        orders: ordered,
        snapshots: snapshots.clone(),
        log: log.clone(),
        audit,
        once: config.into(),
    })
    .map_err(Error::Runtime)?;
    let stop = CancellationToken::new();
    let (policies, engine) = policy::start(policy::Parts {
        set: Arc::new(set),
        layout,
        snapshots,
        log,
        orders,
        history: config.policy.history,
        token: stop.clone(),
    })
    .map_err(Error::Runtime)?;
    let hold = Hold {
        enforce: handle.clone(),
        policy: policies,
        file: config.policy.file.clone(),
    };
    let holding = Holding {
        policy: engine,
        enforcer,
        stop,
        handle,
    };
    Ok((hold, holding))
}

/// As enforcement has it.
pub(super) const fn mode(mode: EnforceMode) -> policy::Mode {
    match mode {
        EnforceMode::Enforce => policy::Mode::Enforce,
        EnforceMode::Monitor => policy::Mode::Monitor,
    }
}

impl Holding {
    /// Decides nothing more, then gives back what does not stay.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.handle.shutdown().await;
        let threads = [self.policy, self.enforcer];
        // How they ended is in the log.
        let _ = tokio::task::spawn_blocking(|| threads.map(JoinHandle::join)).await;
    }
}
