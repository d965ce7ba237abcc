//! The routes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::ask::Nothing;
use super::state::{Hold, ReloadError};
use super::types::{
    ActionList, ActionQuery, DecisionList, Explained, Explanation, FreezeRequest, KillRequest,
    LimitRequest, ModeRequest, Outcome, PolicyView, Record, RecordList, ReplayRequest,
};
use crate::api::name::display_name;
use crate::api::server::{Refusal, Room};
use crate::cgroup::{Knob, Setting};
use crate::enforce;
use crate::identity::Runtime;
use crate::ledger::Workload;
use crate::policy::{
    Amount, Claim, Claimant, Evidence, Fate, HandleError, Limit, Mode, OnConflict, Once, Order,
    Restore, Scope, Step, Wanted, describe, parse,
};

/// Longest text of a policy file that is taken.
const LONGEST_POLICY: usize = 1 << 20;

/// Under the prefix that the other routes have.
pub(in crate::api) fn routes() -> Router<Room> {
    Router::new()
        .route("/v1/workloads/{workload}/limits", post(limit))
        .route("/v1/workloads/{workload}/limits/clear", post(clear))
        .route("/v1/workloads/{workload}/freeze", post(freeze))
        .route("/v1/workloads/{workload}/thaw", post(thaw))
        .route("/v1/workloads/{workload}/kill", post(kill))
        .route("/v1/workloads/{workload}/why", get(why))
        .route("/v1/workloads/{workload}/policy", get(explain))
        .route("/v1/actions", get(actions))
        .route("/v1/actions/{action}/undo", post(undo))
        .route("/v1/policy", get(policy_view))
        .route("/v1/policy/reload", post(reload))
        .route("/v1/policy/mode", post(set_mode))
        .route("/v1/policy/replay", post(replay))
        .route("/v1/policy/policies/{policy}/enable", post(enable))
        .route("/v1/policy/policies/{policy}/disable", post(disable))
        .layer(DefaultBodyLimit::max(2 * LONGEST_POLICY))
}

type Body<T> = Result<Json<T>, JsonRejection>;
type Done = Result<Json<RecordList>, Refusal>;

async fn limit(
    State(room): State<Room>,
    Path(name): Path<String>,
    body: Body<LimitRequest>,
) -> Done {
    let Json(request) = body?;
    let workload = room.workload(&name).await?;
    let mut records = Vec::new();
    for limit in request.limits {
        let claim = Claim {
            limit,
            at_most: None,
        };
        records.extend(
            room.order(&workload, "plimsoll limit", Step::Hold(claim))
                .await?,
        );
    }
    Ok(list(records))
}

async fn clear(State(room): State<Room>, Path(name): Path<String>, body: Body<Nothing>) -> Done {
    let Json(Nothing {}) = body?;
    let workload = room.workload(&name).await?;
    let step = Step::Release(Scope::All);
    let records = room
        .order(&workload, "plimsoll limit --clear", step)
        .await?;
    Ok(list(records))
}

async fn freeze(
    State(room): State<Room>,
    Path(name): Path<String>,
    body: Body<FreezeRequest>,
) -> Done {
    let Json(FreezeRequest { at_most }) = body?;
    let workload = room.workload(&name).await?;
    let limit = Limit::Cgroup(Wanted {
        knob: Knob::Freeze,
        amount: Amount::Exactly(Setting::Freeze(true)),
        ceiling: None,
        floor: None,
    });
    let step = Step::Hold(Claim { limit, at_most });
    Ok(list(room.order(&workload, "plimsoll freeze", step).await?))
}

/// Lets go of whatever froze it, on whose behalf that may be.
async fn thaw(State(room): State<Room>, Path(name): Path<String>, body: Body<Nothing>) -> Done {
    let Json(Nothing {}) = body?;
    let workload = room.workload(&name).await?;
    let id = Arc::from(workload.identity.id.as_str());
    let records = room.hold()?.enforce.thaw(id).await?;
    if records.is_empty() {
        return Err(Refusal {
            status: StatusCode::CONFLICT,
            error: format!(
                "nothing to thaw: plimsoll did not freeze {name}, or has let it go already; what its engine paused, its engine lets go on"
            ),
        });
    }
    Ok(list(records))
}

async fn kill(State(room): State<Room>, Path(name): Path<String>, body: Body<KillRequest>) -> Done {
    let Json(request) = body?;
    let workload = room.workload(&name).await?;
    let step = Step::Once(Once::Kill {
        scope: request.scope,
        signal: request.signal,
        grace: request.grace,
        escalate: request.escalate,
    });
    Ok(list(room.order(&workload, "plimsoll kill", step).await?))
}

async fn why(
    State(room): State<Room>,
    Path(name): Path<String>,
) -> Result<Json<Explanation>, Refusal> {
    /// Decisions that are shown.
    const LATELY: usize = 20;
    let workload = room.workload(&name).await?;
    let id = &workload.identity.id;
    let hold = room.hold()?;
    let held = enforce::held_of(id, &hold.enforce.claims().await?);
    let query = ActionQuery {
        workload: Some(id.clone()),
        ..ActionQuery::last(LATELY)
    };
    let answer = ask_audit(hold, query).await?;
    let name = display_name(&workload.identity);
    let limits = hold.enforce.limits((*workload.placement).clone()).await?;
    let made_by = match workload.identity.runtime {
        Runtime::Plimsoll => "plimsoll run",
        Runtime::Cgroup => "whoever made it",
        engine => engine.name(),
    };
    let explanation = Explanation::new(id, &name, held, answer);
    Ok(Json(explanation.beside(made_by, &limits)))
}

async fn actions(
    State(room): State<Room>,
    query: Result<Query<ActionQuery>, QueryRejection>,
) -> Result<Json<ActionList>, Refusal> {
    let Query(mut query) = query?;
    if let Some(outcome) = &query.outcome
        && !Outcome::NAMES.contains(&outcome.as_str())
    {
        let names = Outcome::NAMES.join(", ");
        return Err(Refusal::bad_request(format!(
            "no outcome is called `{outcome}`; there are {names}"
        )));
    }
    // A name that is no workload's any more may still be in the records.
    if let Some(name) = &query.workload
        && let Ok(workload) = room.workload(name).await
    {
        query.workload = Some(workload.identity.id.clone());
    }
    Ok(Json(ask_audit(room.hold()?, query).await?))
}

async fn undo(State(room): State<Room>, Path(action): Path<u64>, body: Body<Nothing>) -> Done {
    let Json(Nothing {}) = body?;
    let record = room.hold()?.enforce.undo(action).await?;
    Ok(list(vec![record]))
}

async fn explain(
    State(room): State<Room>,
    Path(name): Path<String>,
) -> Result<Json<Explained>, Refusal> {
    let workload = room.workload(&name).await?;
    let id = workload.identity.id.clone();
    let explained = room.hold()?.policy.explain(id).await?;
    explained.map(Json).ok_or_else(|| Refusal {
        status: StatusCode::CONFLICT,
        error: format!("{name} is too young, or gone: policies do not know it"),
    })
}

async fn policy_view(State(room): State<Room>) -> Result<Json<PolicyView>, Refusal> {
    room.policies().await
}

/// A file with problems changes nothing.
async fn reload(
    State(room): State<Room>,
    body: Body<Nothing>,
) -> Result<Json<PolicyView>, Refusal> {
    let Json(Nothing {}) = body?;
    let hold = room.hold()?;
    hold.reload().await.map_err(|error| match error {
        ReloadError::File(errors) => Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            error: errors.lines().join("\n"),
        },
        ReloadError::Enforce(error) => error.into(),
        ReloadError::Policy(error) => error.into(),
    })?;
    room.policies().await
}

async fn set_mode(
    State(room): State<Room>,
    body: Body<ModeRequest>,
) -> Result<Json<PolicyView>, Refusal> {
    let Json(ModeRequest { policy, mode }) = body?;
    room.hold()?.policy.mode(policy, mode).await?;
    room.policies().await
}

async fn enable(
    State(room): State<Room>,
    Path(policy): Path<String>,
    body: Body<Nothing>,
) -> Result<Json<PolicyView>, Refusal> {
    let Json(Nothing {}) = body?;
    room.hold()?.policy.enable(policy, true).await?;
    room.policies().await
}

async fn disable(
    State(room): State<Room>,
    Path(policy): Path<String>,
    body: Body<Nothing>,
) -> Result<Json<PolicyView>, Refusal> {
    let Json(Nothing {}) = body?;
    room.hold()?.policy.enable(policy, false).await?;
    room.policies().await
}

async fn replay(
    State(room): State<Room>,
    body: Body<ReplayRequest>,
) -> Result<Json<DecisionList>, Refusal> {
    let Json(ReplayRequest { since, policy }) = body?;
    let set = match policy.as_deref().map(parse) {
        None => None,
        Some(Ok(set)) => Some(Arc::new(set)),
        Some(Err(problems)) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            return Err(Refusal::bad_request(problems.join("\n")));
        }
    };
    let decisions = room.hold()?.policy.replay(since, set).await?;
    Ok(Json(DecisionList { decisions }))
}

/// Records may be read from files.
async fn ask_audit(hold: &Hold, query: ActionQuery) -> Result<ActionList, Refusal> {
    let audit = hold.enforce.audit().clone();
    let asked = tokio::task::spawn_blocking(move || audit.query(&query)).await;
    asked.map_err(|error| Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: format!("the records cannot be read: {error}"),
    })
}

fn list(records: Vec<Arc<Record>>) -> Json<RecordList> {
    Json(RecordList { records })
}

impl Room {
    fn hold(&self) -> Result<&Hold, Refusal> {
        self.api.hold.as_ref().ok_or_else(|| Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "this agent only looks".to_owned(),
        })
    }

    async fn order(
        &self,
        workload: &Arc<Workload>,
        asked: &str,
        step: Step,
    ) -> Result<Vec<Arc<Record>>, Refusal> {
        let order = Order {
            claimant: Claimant::Operator,
            workload: Arc::clone(workload),
            step,
            mode: Mode::Enforce,
            on_conflict: OnConflict::Alert,
            restore: Restore::Never,
            evidence: Evidence {
                condition: asked.to_owned(),
                observed: String::new(),
                at: SystemTime::now(),
                read: Instant::now(),
                held: Duration::ZERO,
            },
            fate: Fate::default(),
        };
        Ok(self.hold()?.enforce.order(order).await?)
    }

    async fn policies(&self) -> Result<Json<PolicyView>, Refusal> {
        let hold = self.hold()?;
        let (set, tally) = hold.policy.show().await?;
        let degradations = hold.policy.status().borrow().degradations.clone();
        Ok(Json(PolicyView {
            file: hold.file.clone(),
            text: describe(&set),
            tally,
            degradations,
        }))
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<enforce::Ended> for Refusal {
    fn from(error: enforce::Ended) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: error.to_string(),
        }
    }
}

impl From<HandleError> for Refusal {
    fn from(error: HandleError) -> Self {
        Self {
            status: match error {
                HandleError::Ended => StatusCode::SERVICE_UNAVAILABLE,
                HandleError::NoSuchPolicy(_) => StatusCode::NOT_FOUND,
            },
            error: error.to_string(),
        }
    }
}
