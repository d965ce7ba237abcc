//! The version that clients put before a path.

use axum::http::{Request, Uri};

/// The newest that is spoken; clients take the older of theirs and this.
pub(super) const NEWEST: &str = "1.43";
/// The oldest whose forms are the same.
pub(super) const OLDEST: &str = "1.24";

/// `/v1.43/containers/json` becomes `/containers/json`. The agent's own paths, below `/v1`, stay.
pub(in crate::api) fn strip_version<B>(mut request: Request<B>) -> Request<B> {
    if let Some(uri) = without_version(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn without_version(uri: &Uri) -> Option<Uri> {
    let text = uri.path_and_query()?.as_str();
    let (minor, _) = text.strip_prefix("/v1.")?.split_once('/')?;
    if minor.is_empty() || !minor.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = text.get("/v1.".len() + minor.len()..)?;
    rest.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_a_version_of_the_engines_api_is_taken_off() {
        let stripped = |text: &str| {
            let request = Request::builder().uri(text).body(()).unwrap();
            strip_version(request).uri().to_string()
        };
        assert_eq!(
            stripped("/v1.43/containers/json?all=1"),
            "/containers/json?all=1"
        );
        for same in ["/v1/workloads", "/containers/json", "/v1.x/y", "/v1./y"] {
            assert_eq!(stripped(same), same);
        }
    }
}
