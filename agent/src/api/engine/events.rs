//! What happens, as it happens.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bollard::models::{EventMessage, EventMessageTypeEnum};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::parameters::Parameters;
use super::refusal::Refused;
use crate::api::server::Room;
use crate::engine::Filters;

/// All of Docker's; of some kinds nothing ever happens here.
const FILTERS: [&str; 15] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "name",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];

pub(super) fn routes() -> Router<Room> {
    Router::new().route("/events", get(events))
}

/// One JSON object a line, until `until` or for ever.
async fn events(State(room): State<Room>, asked: Parameters) -> Result<Response, Refused> {
    let filters = asked.filters()?;
    if let Some(unknown) = filters.keys().find(|key| !FILTERS.contains(&key.as_str())) {
        return Err(Refused::bad_request(format!("invalid filter '{unknown}'")));
    }
    let until = asked.time("until")?;
    let since = asked.time("since")?;
    let engine_events = room.engine()?.events();
    let live = engine_events.subscribe();
    let past = since
        .map(|since| engine_events.since(since))
        .unwrap_or_default();
    let last = past.last().and_then(|event| event.time_nano);
    let past: Vec<_> = past
        .iter()
        .filter(|event| is_wanted(event, &filters) && is_before(event, until))
        .filter_map(line)
        .collect();
    let live = stream::unfold((live, filters), move |(mut live, filters)| async move {
        loop {
            let left = until.map(|until| {
                until
                    .duration_since(SystemTime::now())
                    .unwrap_or(Duration::ZERO)
            });
            let next = match left {
                Some(left) => tokio::time::timeout(left, live.recv()).await.ok()?,
                None => live.recv().await,
            };
            match next {
                // Told as past already.
                Ok(event) if last.is_some() && event.time_nano <= last => {}
                Ok(event) if is_wanted(&event, &filters) => {
                    return Some((line(&event).unwrap_or_default(), (live, filters)));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "somebody listens too slowly to events");
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let lines = stream::StreamExt::chain(stream::iter(past), live);
    let lines = stream::StreamExt::map(lines, Ok::<Bytes, std::convert::Infallible>);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// With the words that Docker had for containers and images before it had events of other kinds; its templates
/// still have them.
fn line(event: &EventMessage) -> Option<Bytes> {
    let mut told = serde_json::to_value(event).ok()?;
    let object = told.as_object_mut()?;
    if matches!(
        event.typ,
        Some(EventMessageTypeEnum::CONTAINER | EventMessageTypeEnum::IMAGE)
    ) {
        let actor = event.actor.clone().unwrap_or_default();
        let image = actor.attributes.and_then(|mut all| all.remove("image"));
        let id = actor.id.filter(|id| !id.is_empty());
        let old = [
            ("status", event.action.clone()),
            ("id", id),
            ("from", image),
        ];
        object.extend(
            old.into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.into()))),
        );
    }
    let mut text = serde_json::to_vec(&told).ok()?;
    text.push(b'\n');
    Some(text.into())
}

fn is_before(event: &EventMessage, until: Option<SystemTime>) -> bool {
    let Some(until) = until else { return true };
    let since = until.duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::from(event.time_nano.unwrap_or(0))
        <= i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

/// Every filter that is given holds for one of its values.
fn is_wanted(event: &EventMessage, filters: &Filters) -> bool {
    let kind = event.typ.map(|kind| kind.to_string()).unwrap_or_default();
    let actor = event.actor.as_ref();
    let id = actor
        .and_then(|actor| actor.id.as_deref())
        .unwrap_or_default();
    let none = HashMap::new();
    let attributes = actor
        .and_then(|actor| actor.attributes.as_ref())
        .unwrap_or(&none);
    let attribute = |name: &str| attributes.get(name).map_or("", String::as_str);
    let action = event.action.as_deref().unwrap_or_default();
    let of = |wanted: &str, value: &str| {
        kind == wanted && (id.starts_with(value) || attribute("name") == value)
    };
    filters.iter().all(|(name, values)| {
        values.is_empty()
            || values.iter().any(|value| match name.as_str() {
                "type" => kind == *value,
                "event" => action == value || action.starts_with(&format!("{value}:")),
                "label" => match value.split_once('=') {
                    Some((key, text)) => attributes.get(key).is_some_and(|own| own == text),
                    None => attributes.contains_key(value),
                },
                "image" => attribute("image") == value || of("image", value),
                "name" => attribute("name") == value,
                "scope" => event.scope.is_some_and(|scope| scope.to_string() == *value),
                kind => of(kind, value),
            })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn filters_hold_together() {
        let event: EventMessage = serde_json::from_value(serde_json::json!({
            "Type": "container", "Action": "health_status: healthy", "scope": "local",
            "Actor": {"ID": "abcdef", "Attributes": {"name": "web", "tier": "front"}},
            "timeNano": 1_000_000_000
        }))
        .unwrap();
        let wanted = |filters: &[(&str, &str)]| {
            let filters = filters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
            is_wanted(&event, &filters.collect())
        };
        assert!(wanted(&[]));
        assert!(wanted(&[("container", "abc"), ("type", "container")]));
        assert!(wanted(&[("container", "web"), ("event", "health_status")]));
        assert!(wanted(&[("label", "tier=front")]));
        assert!(!wanted(&[("container", "web"), ("type", "network")]));
        assert!(!wanted(&[("network", "abc")]));
        assert!(!wanted(&[("label", "tier=back")]));
        assert!(wanted(&[("scope", "local")]) && !wanted(&[("scope", "swarm")]));
        assert!(!wanted(&[("daemon", "abc")]));
        assert!(is_before(&event, Some(UNIX_EPOCH + Duration::from_secs(1))));
        assert!(!is_before(&event, Some(UNIX_EPOCH)));
    }
}
