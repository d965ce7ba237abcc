//! Containers of other engines: seen and held by Plimsoll, run by others.

use super::super::failure::{Exit, Failure};
use super::client::{Engine, refused};
use crate::api::{ClientError, Identity, Kind, Runtime, display_name};

const NOT_FOUND: u16 = 404;

/// The failure to do `verb` to `name`; where that is another engine's container, whose it is and what to do.
pub(super) async fn explain(
    error: ClientError,
    name: &str,
    verb: &str,
    engine: &Engine,
) -> Failure {
    if refused(&error) != Some(NOT_FOUND) {
        return error.into();
    }
    // An agent that does not know it, or no agent: there is nothing to add.
    let Ok(detail) = engine.agent.workload(name).await else {
        return error.into();
    };
    let identity = &detail.workload.identity;
    // One of ours that was just removed is still in sight.
    if identity.runtime == Runtime::Plimsoll {
        return error.into();
    }
    Failure::new(Exit::Failed, whose(identity, verb))
}

fn whose(identity: &Identity, verb: &str) -> String {
    let name = display_name(identity);
    let owner = identity.runtime.name();
    let ours = "`plimsoll freeze`, `kill` and `limit` apply to it";
    match (identity.runtime, identity.kind) {
        (Runtime::Docker | Runtime::Podman, Kind::Container) => {
            format!("{name} is {owner}'s: use `{owner} {verb} {name}`; {ours}")
        }
        (Runtime::Systemd, Kind::Unit) => {
            format!("{name} is systemd's: see `systemctl help`; {ours}")
        }
        (Runtime::Cgroup, _) => format!("{name} is a bare cgroup, not a container; {ours}"),
        _ => format!("{name} is {owner}'s, not a container of Plimsoll; {ours}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_it_is_and_what_to_do() {
        let mut identity = Identity {
            id: "/docker/4c01".into(),
            runtime: Runtime::Docker,
            kind: Kind::Container,
            name: Some("web".into()),
            ..Identity::default()
        };
        let expected = "web is docker's: use `docker stop web`; \
                        `plimsoll freeze`, `kill` and `limit` apply to it";
        assert_eq!(whose(&identity, "stop"), expected);
        identity.runtime = Runtime::Kubernetes;
        let expected = "web is kubernetes's, not a container of Plimsoll; \
                        `plimsoll freeze`, `kill` and `limit` apply to it";
        assert_eq!(whose(&identity, "stop"), expected);
    }
}
