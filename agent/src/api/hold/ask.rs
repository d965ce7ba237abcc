//! Asking for it.

use std::time::Duration;

use form_urlencoded::Serializer;
use humantime::format_rfc3339_nanos;
use serde::{Deserialize, Serialize};

use super::types::{
    ActionList, ActionQuery, DecisionList, Explained, Explanation, FreezeRequest, KillRequest,
    LimitRequest, ModeRequest, PolicyView, RecordList, ReplayRequest,
};
use crate::api::{Client, ClientError};

/// Longest time that lowering a memory limit or freezing takes.
const ACTION: Duration = Duration::from_secs(30);

impl Client {
    /// # Errors
    /// `Refused` when there is no such workload; what was refused of it is in the records.
    pub async fn limit(
        &self,
        workload: &str,
        request: &LimitRequest,
    ) -> Result<RecordList, ClientError> {
        self.post(&of(workload, "limits"), request, ACTION).await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn clear_limits(&self, workload: &str) -> Result<RecordList, ClientError> {
        self.post(&of(workload, "limits/clear"), &Nothing {}, ACTION)
            .await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn freeze(
        &self,
        workload: &str,
        request: &FreezeRequest,
    ) -> Result<RecordList, ClientError> {
        self.post(&of(workload, "freeze"), request, ACTION).await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn thaw(&self, workload: &str) -> Result<RecordList, ClientError> {
        self.post(&of(workload, "thaw"), &Nothing {}, ACTION).await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn kill(
        &self,
        workload: &str,
        request: &KillRequest,
    ) -> Result<RecordList, ClientError> {
        let longest = ACTION + request.grace;
        self.post(&of(workload, "kill"), request, longest).await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn why(&self, workload: &str) -> Result<Explanation, ClientError> {
        self.get(&of(workload, "why")).await
    }

    /// # Errors
    /// See [`ClientError`]; so for all that follow.
    pub async fn actions(&self, query: &ActionQuery) -> Result<ActionList, ClientError> {
        let ActionQuery {
            workload,
            policy,
            outcome,
            since,
            limit,
        } = query;
        let mut pairs = Serializer::new(String::new());
        let words = [
            ("workload", workload),
            ("policy", policy),
            ("outcome", outcome),
        ];
        for (key, value) in words {
            if let Some(value) = value {
                pairs.append_pair(key, value);
            }
        }
        if let Some(since) = since {
            pairs.append_pair("since", &format_rfc3339_nanos(*since).to_string());
        }
        pairs.append_pair("limit", &limit.to_string());
        self.get(&format!("/v1/actions?{}", pairs.finish())).await
    }

    /// # Errors
    /// `Refused` when there is no such action, or nothing of it is held any more.
    pub async fn undo(&self, action: u64) -> Result<RecordList, ClientError> {
        self.post(&format!("/v1/actions/{action}/undo"), &Nothing {}, ACTION)
            .await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn policy(&self) -> Result<PolicyView, ClientError> {
        self.get("/v1/policy").await
    }

    /// Reads the policy file again.
    ///
    /// # Errors
    /// `Refused` with every problem of the file; the running policy then stays.
    pub async fn reload_policy(&self) -> Result<PolicyView, ClientError> {
        self.post("/v1/policy/reload", &Nothing {}, ACTION).await
    }

    /// # Errors
    /// `Refused` when there is no such policy.
    pub async fn set_mode(&self, request: &ModeRequest) -> Result<PolicyView, ClientError> {
        self.post("/v1/policy/mode", request, ACTION).await
    }

    /// # Errors
    /// `Refused` when there is no such policy.
    pub async fn enable_policy(&self, name: &str, on: bool) -> Result<PolicyView, ClientError> {
        let verb = if on { "enable" } else { "disable" };
        let path = format!("/v1/policy/policies/{}/{verb}", Client::segment(name));
        self.post(&path, &Nothing {}, ACTION).await
    }

    /// # Errors
    /// As [`Client::limit`].
    pub async fn explain(&self, workload: &str) -> Result<Explained, ClientError> {
        self.get(&of(workload, "policy")).await
    }

    /// # Errors
    /// `Refused` with every problem of the policy's text.
    pub async fn replay(&self, request: &ReplayRequest) -> Result<DecisionList, ClientError> {
        self.post("/v1/policy/replay", request, ACTION).await
    }
}

/// The body of what needs none.
#[derive(Serialize, Deserialize)]
pub(super) struct Nothing {}

fn of(workload: &str, what: &str) -> String {
    format!("/v1/workloads/{}/{what}", Client::segment(workload))
}
