//! Posting to a receiver of webhooks.

use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error, Timeout};

const USER_AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// Which authorities may vouch for a receiver.
#[derive(Clone, Debug)]
pub(in crate::enforce::once) enum Roots {
    /// Those of the host, as they are at that moment.
    OfTheHost,
    /// These alone.
    #[cfg_attr(not(test), expect(dead_code, reason = "receivers of tests"))]
    These(Vec<Certificate<'static>>),
}

/// Posts `body` as JSON and waits for the answer: a sentence about it. All of it, from the look-up of
/// the name on, takes `timeout` at most.
pub(super) async fn post(
    url: String,
    body: Vec<u8>,
    timeout: Duration,
    roots: Roots,
) -> Result<String, String> {
    // The client blocks.
    let posted = tokio::task::spawn_blocking(move || blocking(&url, &body, timeout, roots));
    let posted = posted.await;
    posted.unwrap_or_else(|error| Err(format!("webhook: {error}")))
}

fn blocking(url: &str, body: &[u8], timeout: Duration, roots: Roots) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("webhook: not a URL: {error}"))?;
    // Paths of webhooks are often secrets: never in logs or records.
    let host = uri.host().unwrap_or_default().to_owned();
    let failed = |what: String| format!("webhook at {host}: {what}");
    let answer = client(timeout, roots)
        .post(uri)
        .content_type("application/json")
        .send(body)
        .map_err(|error| failed(reason(&error, timeout)))?;
    let status = answer.status();
    if status.is_success() {
        Ok(format!("webhook at {host} answered {status}"))
    } else if status.is_redirection() {
        Err(failed(format!(
            "answered {status}; redirects are not followed"
        )))
    } else {
        Err(failed(format!("answered {status}")))
    }
}

/// One for each notification: they are rare, and no connection, name or certificate goes stale.
fn client(timeout: Duration, roots: Roots) -> Agent {
    let roots = match roots {
        Roots::OfTheHost => RootCerts::PlatformVerifier,
        Roots::These(certificates) => RootCerts::new_with_certs(&certificates),
    };
    let config: Config = Agent::config_builder()
        .timeout_global(Some(timeout))
        // Whoever receives evidence is named in the policy, not by a third party.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(USER_AGENT)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build();
    config.new_agent()
}

fn reason(error: &Error, timeout: Duration) -> String {
    let limit = humantime::format_duration(timeout);
    match error {
        Error::Timeout(Timeout::Resolve) => format!("name not resolved within {limit}"),
        Error::Timeout(Timeout::Connect) => format!("no connection within {limit}"),
        Error::Timeout(_) => format!("no answer within {limit}"),
        Error::BadUri(_) => "not an http or https URL".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
