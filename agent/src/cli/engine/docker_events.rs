//! The stream of events of the containers we run, as `docker events` has it.

use std::collections::BTreeMap;

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::client::{Engine, nothing};
use super::filters::{self, Filter};
use super::lines::Values;
use super::template::{Form, compile, render};
use crate::api::{ClientError, seconds_of_moment};

/// Filters that only this stream has.
const FILTERS: [&str; 14] = [
    "type",
    "container",
    "image",
    "network",
    "volume",
    "label",
    "name",
    "daemon",
    "scope",
    "plugin",
    "node",
    "service",
    "secret",
    "config",
];

/// What happens, by its values of `event`; none of them is the name of a kernel event.
const ACTIONS: [&str; 41] = [
    "archive-path",
    "attach",
    "commit",
    "connect",
    "copy",
    "create",
    "delete",
    "destroy",
    "detach",
    "die",
    "disconnect",
    "exec_create",
    "exec_detach",
    "exec_die",
    "exec_start",
    "export",
    "extract-to-dir",
    "health_status",
    "import",
    "kill",
    "load",
    "mount",
    "oom",
    "pause",
    "prune",
    "pull",
    "push",
    "reload",
    "remove",
    "rename",
    "resize",
    "restart",
    "save",
    "start",
    "stop",
    "tag",
    "top",
    "unmount",
    "unpause",
    "untag",
    "update",
];

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) filter: Vec<String>,
    pub(crate) form: Option<String>,
}

/// What of an event is told in words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    actor: Actor,
    #[serde(default, rename = "timeNano")]
    time_nano: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Actor {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default, rename = "Attributes")]
    attributes: BTreeMap<String, Value>,
}

/// Whether a filter is one that only this stream has. Both have `event`: the kernel's have names of their
/// own, what is none of them is Docker's.
pub(crate) fn is_filter(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        FILTERS.contains(&name)
            || (name == "event" && ACTIONS.contains(&value.split(':').next().unwrap_or(value)))
    })
}

/// Prints events until the time asked for, or for ever.
pub(crate) async fn run(wanted: Wanted, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let wrong = |error: String| Failure::new(Exit::Usage, error);
    let parsed = wanted.filter.iter().map(|filter| filter.parse::<Filter>());
    let filter = parsed.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let form = wanted
        .form
        .as_deref()
        .map(str::parse::<Form>)
        .transpose()
        .map_err(wrong)?;
    let time = |text: Option<&str>| text.map(seconds_of_moment).transpose().map_err(wrong);
    let since = time(wanted.since.as_deref())?.unwrap_or_default();
    let until = time(wanted.until.as_deref())?.unwrap_or_default();
    let filters = filters::encoded(&filter);
    let mut query = vec![("since", since.as_str()), ("until", until.as_str())];
    query.retain(|(_, value)| !value.is_empty());
    query.extend((!filter.is_empty()).then_some(("filters", filters.as_str())));
    let template = match &form {
        Some(Form::Template(text)) => Some(compile(text).map_err(wrong)?),
        _ => None,
    };
    let answer = engine
        .request(Method::GET, "/events", &query, nothing())
        .await?;
    let mut events = Values::<Value>::of(answer);
    while let Some(event) = events.next().await? {
        let line = match (&form, &template) {
            (_, Some(template)) => {
                render(template, &event).map_err(|error| Failure::new(Exit::Failed, error))?
            }
            (Some(Form::Json), _) => event.to_string(),
            _ => in_words(&serde_json::from_value(event).map_err(ClientError::NotUnderstood)?),
        };
        out.text(&format!("{line}\n"))?;
        out.flush()?;
    }
    Ok(())
}

/// `2026-01-02T15:04:05.000000000Z container start ID (image=web, name=x)`
fn in_words(event: &Event) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(event.time_nano);
    let time = humantime::format_rfc3339_nanos(time);
    let attributes = event
        .actor
        .attributes
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        });
    let attributes = attributes.collect::<Vec<_>>().join(", ");
    let words = format!(
        "{time} {} {} {}",
        event.r#type, event.action, event.actor.id
    );
    if attributes.is_empty() {
        words
    } else {
        format!("{words} ({attributes})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::api::EventKind;

    #[test]
    fn an_event_in_words() {
        let event = serde_json::json!({
            "Type": "container", "Action": "start", "timeNano": 1_700_000_000_000_000_001_u64,
            "Actor": {"ID": "4c01", "Attributes": {"name": "web", "image": "busybox"}},
        });
        let expected =
            "2023-11-14T22:13:20.000000001Z container start 4c01 (image=busybox, name=web)";
        assert_eq!(in_words(&serde_json::from_value(event).unwrap()), expected);
    }

    #[test]
    fn the_two_streams_are_told_apart() {
        for filter in [
            "type=container",
            "scope=local",
            "event=die",
            "event=start",
            "event=health_status: healthy",
        ] {
            assert!(is_filter(filter), "{filter}");
        }
        for filter in [
            "class=oom",
            "event=oom_kill",
            "event=exec",
            "event=x",
            "die",
        ] {
            assert!(!is_filter(filter), "{filter}");
        }
        for name in EventKind::NAMES {
            assert!(!ACTIONS.contains(&name), "{name}");
        }
    }
}
