//! Telling somebody: the log always, a receiver of webhooks and a command where given.
//!
//! In: an errand. Out: one [`Notification`] as JSON, posted and piped. Others find the same in the
//! events, where every record goes.

mod command;
mod notification;
mod webhook;

pub(super) use notification::Notification;
pub(super) use webhook::Roots;

use super::errand::{Ending, Errand};
use crate::policy::Once;

/// Tells all who are to be told, at the same time.
pub(super) async fn notify(errand: &Errand, told: &Notification) -> Ending {
    let Once::Notify {
        webhook,
        command,
        timeout,
    } = &errand.once
    else {
        return Ending::failed("no notification");
    };
    tracing::warn!(
        action = told.id,
        policy = told.policy.as_deref(),
        rule = told.rule.as_deref(),
        workload = told.workload.id,
        name = told.workload.name,
        condition = errand.evidence.condition,
        observed = errand.evidence.observed,
        "policy notification"
    );
    let body = match serde_json::to_vec(told) {
        Ok(body) => body,
        // Every type in it has a JSON form.
        Err(error) => return Ending::failed(format!("no JSON: {error}")),
    };
    let posted = async {
        let url = webhook.clone()?;
        let sent = webhook::post(url, body.clone(), *timeout, Roots::OfTheHost).await;
        Some(sent)
    };
    let piped = async {
        let line = command.as_deref()?;
        Some(command::run(line, told, &body, *timeout).await)
    };
    let (posted, piped) = tokio::join!(posted, piped);
    ending([posted, piped])
}

/// Both at once; one that failed makes a failure of it, and keeps what the other said.
fn ending(parts: [Option<Result<String, String>>; 2]) -> Ending {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for part in parts.into_iter().flatten() {
        match part {
            Ok(text) => done.push(text),
            Err(text) => failed.push(text),
        }
    }
    let after = (!done.is_empty()).then(|| done.join("; "));
    let mut ending = if failed.is_empty() {
        Ending::new(crate::enforce::Outcome::Done)
    } else {
        Ending::failed(failed.join("; "))
    };
    ending.after = after;
    ending
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::Outcome;

    #[test]
    fn one_failure_is_a_failure_and_the_rest_is_kept() {
        let (good, bad) = (
            || Some(Ok("good".to_owned())),
            || Some(Err("bad".to_owned())),
        );
        assert_eq!(ending([None, None]), Ending::new(Outcome::Done));
        assert_eq!(ending([good(), None]), Ending::done("good"));
        let mixed = ending([good(), bad()]);
        assert_eq!(mixed.outcome, Outcome::Failed("bad".into()));
        assert_eq!(mixed.after.as_deref(), Some("good"));
        let both = ending([bad(), bad()]);
        assert_eq!(both.outcome, Outcome::Failed("bad; bad".into()));
    }
}
