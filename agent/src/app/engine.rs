//! What launches: the engine, whose containers attribution is told of, and enforcement holds.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bollard::models::EventMessageTypeEnum;
use tokio::runtime::Handle as Tokio;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cgroup::{Layout, Placement};
use crate::config::Config;
use crate::enforce::{self, Outcome};
use crate::engine::{Engine, EngineParts, Events, Tally, Workload};
use crate::identity::{Attribution, Details, Identity, classify};
use crate::launch::Sealed;
use crate::launch::shim::Made;
use crate::ledger;
use crate::metrics::{LaunchingReading, LaunchingSource};
use crate::policy::{
    Claim, Claimant, Evidence, Fate, Limit, Mode, OnConflict, Order, Restore, Step,
    limits_of_annotations,
};

/// Parent of the cgroups of containers and of their shims.
const CGROUP_PARENT: &str = "/plimsoll";

/// The engine at work.
pub(super) struct Launching {
    pub(super) engine: Engine,
    names: JoinHandle<()>,
}

/// Takes up what an earlier agent left. `None`: this agent runs no containers, and the log says why.
pub(super) async fn start(
    config: &Config,
    layout: Layout,
    attribution: Attribution,
    enforcement: enforce::Handle,
    token: CancellationToken,
) -> Option<Launching> {
    if !config.engine.enable {
        return None;
    }
    let sealed = match Sealed::own() {
        Ok(sealed) => sealed,
        Err(error) => {
            tracing::warn!(%error, "no containers are run: the executable cannot be sealed");
            return None;
        }
    };
    let events = Events::default();
    let on_made = {
        let (attribution, tokio) = (attribution.clone(), Tokio::current());
        Arc::new(move |workload: &Workload, made: &Made| {
            attribution.tell(workload.id.as_str(), details(workload));
            hold(workload, made, &enforcement, &tokio)
        })
    };
    let parts = EngineParts {
        config: config.engine.clone(),
        layout,
        sealed,
        cgroup_parent: CGROUP_PARENT.to_owned(),
        token: token.clone(),
        events: events.clone(),
        on_made,
    };
    match Engine::open(parts).await {
        Ok(engine) => {
            let names = tokio::spawn(follow(engine.clone(), attribution, events, token));
            Some(Launching { engine, names })
        }
        Err(error) => {
            let reason = error.with_causes();
            tracing::warn!(reason, "no containers are run");
            None
        }
    }
}

impl Launching {
    /// Where metrics look.
    pub(super) fn metrics(&self) -> LaunchingSource {
        let engine = self.engine.clone();
        LaunchingSource::new(move || reading(engine.tally()))
    }

    /// Waits until the engine's tasks have ended. Containers go on.
    pub(super) async fn stopped(self) {
        self.engine.stopped().await;
        // How it ended is of no interest now.
        let _ = self.names.await;
    }
}

fn reading(tally: Tally) -> LaunchingReading {
    LaunchingReading {
        states: tally.states,
        images: tally.images,
        restarts: tally.restarts,
        health: tally.health,
        starts: ledger::Histogram {
            bounds_seconds: tally.starts.bounds_seconds.to_vec(),
            counts: tally.starts.counts,
            sum_seconds: tally.starts.sum_seconds,
        },
        failed_starts: tally.failed_starts,
        policy_restarts: tally.policy_restarts,
        health_checks: tally.health_checks,
        failed_health_checks: tally.failed_health_checks,
        lost_shims: tally.lost_shims,
        lost_log_lines: tally.lost_log_lines,
    }
}

/// Keeps attribution up to date.
async fn follow(
    engine: Engine,
    attribution: Attribution,
    events: Events,
    token: CancellationToken,
) {
    let mut happening = events.subscribe();
    let tell_all = || {
        for workload in engine.own_workloads() {
            attribution.tell(workload.id.as_str(), details(&workload));
        }
    };
    tell_all();
    loop {
        let event = tokio::select! {
            event = happening.recv() => event,
            () = token.cancelled() => return,
        };
        match event {
            Ok(event) if event.typ == Some(EventMessageTypeEnum::CONTAINER) => {
                let id = event.actor.and_then(|actor| actor.id).unwrap_or_default();
                match event.action.as_deref() {
                    Some("destroy") => attribution.untell(&id),
                    Some("rename") => tell_all(),
                    _ => {}
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => tell_all(),
            Err(RecvError::Closed) => return,
        }
    }
}

fn details(workload: &Workload) -> Details {
    Details::own(&workload.name, &workload.image, workload.labels.clone())
}

/// Holds a container that has not begun to run to what its annotations say.
///
/// # Errors
/// What this host cannot do, or does not let be done, of it.
fn hold(
    workload: &Workload,
    made: &Made,
    enforcement: &enforce::Handle,
    tokio: &Tokio,
) -> Result<(), String> {
    let limits = limits_of_annotations(&workload.annotations)?;
    if limits.is_empty() {
        return Ok(());
    }
    let subject = Arc::new(subject(workload, made));
    for limit in limits {
        let order = order(Arc::clone(&subject), limit);
        let records = tokio.block_on(enforcement.order(order));
        for record in records.map_err(|ended| ended.to_string())? {
            match &record.outcome {
                Outcome::Refused(reason)
                | Outcome::Failed(reason)
                | Outcome::Deferred(reason)
                | Outcome::Yielded(reason) => return Err(reason.clone()),
                Outcome::DryRun => {
                    return Err("the agent only monitors (enforce.mode)".to_owned());
                }
                Outcome::Done | Outcome::Restored => {}
            }
        }
    }
    Ok(())
}

/// As the ledger will have it after its next tick.
fn subject(workload: &Workload, made: &Made) -> ledger::Workload {
    let paths = made.cgroups.keys();
    let paths = paths.map(|hierarchy| (*hierarchy, workload.cgroup.clone()));
    let placement = Placement {
        paths: paths.collect(),
    };
    let identity = classify(&workload.cgroup).with(&details(workload));
    let identity = Identity {
        name: Some(workload.name.clone()),
        ..identity
    };
    ledger::Workload::new(Arc::new(identity), Arc::new(placement), SystemTime::now())
}

fn order(workload: Arc<ledger::Workload>, limit: Limit) -> Order {
    let claim = Claim {
        limit,
        at_most: None,
    };
    Order {
        claimant: Claimant::Operator,
        workload,
        step: Step::Hold(claim),
        mode: Mode::Enforce,
        on_conflict: OnConflict::Alert,
        restore: Restore::Never,
        evidence: Evidence {
            condition: "plimsoll run".to_owned(),
            observed: String::new(),
            at: SystemTime::now(),
            read: Instant::now(),
            held: Duration::ZERO,
        },
        fate: Fate::default(),
    }
}
