//! A request's query in Docker's forms.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;

use super::refusal::Refused;
use crate::api::seconds_of_moment;
use crate::engine::Filters;

/// Name to value; several values of a name are kept.
pub(super) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Query(pairs) = Query::from_request_parts(parts, state).await?;
        Ok(Self(pairs))
    }
}

/// Values of filters: a list, or an object whose keys are the values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    List(Vec<String>),
    Keys(HashMap<String, bool>),
}

impl Parameters {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Present and not empty.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        let text = self.text(name).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.0.iter().filter(move |(key, _)| key == name);
        own.map(|(_, value)| value.as_str())
    }

    /// What is not plainly false is true.
    pub(super) fn flag(&self, name: &str) -> bool {
        let text = self.text(name).unwrap_or_default().to_ascii_lowercase();
        !matches!(text.trim(), "" | "0" | "no" | "false" | "none")
    }

    /// # Errors
    /// There is one, and it is no number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refused> {
        let Some(text) = self.word(name) else {
            return Ok(None);
        };
        let number = text.parse();
        number
            .map(Some)
            .map_err(|_| Refused::bad_request(format!("invalid {name}: \"{text}\" is no number")))
    }

    /// With the time of `until` in seconds since 1970.
    ///
    /// # Errors
    /// It is no JSON of filters, or `until` is no time.
    pub(super) fn filters(&self) -> Result<Filters, Refused> {
        let Some(text) = self.word("filters") else {
            return Ok(Filters::new());
        };
        let parsed: HashMap<String, Values> = serde_json::from_str(&text)
            .map_err(|error| Refused::bad_request(format!("invalid filter: {error}")))?;
        let filters = parsed.into_iter().map(|(name, values)| {
            let values = match values {
                Values::List(list) => list,
                Values::Keys(keys) => {
                    let wanted = keys.into_iter().filter(|(_, wanted)| *wanted);
                    wanted.map(|(value, _)| value).collect()
                }
            };
            (name, values)
        });
        let mut filters: Filters = filters.collect();
        // The engine knows one form of it.
        for until in filters.get_mut("until").into_iter().flatten() {
            *until = seconds_of_moment(until).map_err(|error| {
                Refused::bad_request(format!("invalid filter 'until': {error}"))
            })?;
        }
        Ok(filters)
    }

    /// Seconds since 1970 with a fraction; 0 is none.
    ///
    /// # Errors
    /// It is no such time.
    pub(super) fn time(&self, name: &str) -> Result<Option<SystemTime>, Refused> {
        let Some(text) = self.word(name) else {
            return Ok(None);
        };
        let wrong = || Refused::bad_request(format!("invalid {name}: \"{text}\""));
        let text = match text.contains('T') {
            true => seconds_of_moment(&text).map_err(|_| wrong())?,
            false => text.clone(),
        };
        let (seconds, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let seconds: u64 = seconds.parse().map_err(|_| wrong())?;
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let nanoseconds = format!("{fraction:0<9}");
        let nanoseconds = nanoseconds.get(..9).and_then(|text| text.parse().ok());
        let since = Duration::new(seconds, nanoseconds.ok_or_else(wrong)?);
        Ok((!since.is_zero()).then(|| UNIX_EPOCH + since))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parameters(text: &str) -> Parameters {
        Parameters(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    #[test]
    fn flags_are_as_docker_reads_them() {
        let given = parameters("a=1&b=0&c=False&d=&e=yes");
        let flags = ["a", "b", "c", "d", "e", "f"].map(|name| given.flag(name));
        assert_eq!(flags, [true, false, false, false, true, false]);
    }

    #[test]
    fn filters_come_in_two_forms() {
        for text in [
            r#"filters={"label":["a=b"],"status":[]}"#,
            r#"filters={"label":{"a=b":true,"c":false},"status":{}}"#,
        ] {
            let filters = parameters(text).filters().unwrap();
            assert_eq!(filters["label"], ["a=b"]);
            assert!(filters["status"].is_empty());
        }
        let until = parameters(r#"filters={"until":["2023-11-15T00:13:20%2B02:00"]}"#);
        assert_eq!(until.filters().unwrap()["until"], ["1700000000.000000000"]);
        let until = parameters(r#"filters={"until":["soon"]}"#).filters();
        assert!(until.is_err());
        assert!(parameters("filters=x").filters().is_err());
        assert!(parameters("").filters().unwrap().is_empty());
    }

    #[test]
    fn times_have_fractions() {
        let time = |text: &str| parameters(&format!("t={text}")).time("t");
        let at = |seconds, nanoseconds| Some(UNIX_EPOCH + Duration::new(seconds, nanoseconds));
        assert_eq!(
            time("1700000000.5").unwrap(),
            at(1_700_000_000, 500_000_000)
        );
        assert_eq!(time("12").unwrap(), at(12, 0));
        assert_eq!(time("1970-01-01T00:00:12Z").unwrap(), at(12, 0));
        assert_eq!(time("0").unwrap(), None);
        assert!(time("1.x").is_err());
        assert!(time("soon").is_err());
    }
}
