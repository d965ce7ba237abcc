//! How people name a workload, and which one they mean.

use std::sync::Arc;

use super::types::{Identity, Kind, Life, Workload};

/// Digits of a container id that people see and type, as Docker prints it.
const SHORT_ID: usize = 12;
/// Candidates that an ambiguous name lists.
const CANDIDATES: usize = 5;

/// Why a name stands for no workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    #[error("no workload is named `{selector}`; `plimsoll workloads --all` lists all of them")]
    NotFound { selector: String },
    #[error("`{selector}` is ambiguous: {candidates}; use more of the id")]
    Ambiguous {
        selector: String,
        candidates: String,
    },
}

/// What people call it: `namespace/pod/container` in Kubernetes, the name of a container, unit or
/// machine, else the short container id, else the cgroup path.
#[must_use]
pub fn display_name(identity: &Identity) -> String {
    if let (Some(namespace), Some(pod)) = (&identity.namespace, &identity.pod) {
        return match (identity.kind, &identity.container) {
            (Kind::Sandbox, _) => format!("{namespace}/{pod} (sandbox)"),
            (Kind::Container, Some(container)) => format!("{namespace}/{pod}/{container}"),
            _ => format!("{namespace}/{pod}"),
        };
    }
    match (&identity.name, short_id(identity)) {
        (Some(name), _) => name.clone(),
        (None, Some(id)) => id.to_owned(),
        (None, None) => identity.id.clone(),
    }
}

/// First digits of the container id.
#[must_use]
pub fn short_id(identity: &Identity) -> Option<&str> {
    let id = identity.container_id.as_deref()?;
    Some(id.get(..SHORT_ID).unwrap_or(id))
}

/// The one workload that `selector` stands for: a cgroup path, a name, a container id or its
/// beginning, a unit with or without `.service`. An exact match goes before a partial one, an alive
/// workload before dead ones, the youngest of the dead before the others.
///
/// # Errors
/// None or several match.
pub fn select(workloads: &[Arc<Workload>], selector: &str) -> Result<Arc<Workload>, SelectorError> {
    let tiers: [fn(&Identity, &str) -> bool; 3] = [is_id, is_name, is_partial];
    for matches in tiers {
        let found = workloads.iter().filter(|w| matches(&w.identity, selector));
        let (dead, alive): (Vec<_>, Vec<_>) = found.partition(|w| is_dead(w));
        match alive.as_slice() {
            [] => {}
            [only] => return Ok(Arc::clone(only)),
            several => return Err(ambiguous(selector, several)),
        }
        if let Some(youngest) = dead.into_iter().max_by_key(|w| w.created) {
            return Ok(Arc::clone(youngest));
        }
    }
    Err(SelectorError::NotFound {
        selector: selector.to_owned(),
    })
}

fn is_dead(workload: &Workload) -> bool {
    matches!(workload.life, Life::Dead { .. })
}

fn is_id(identity: &Identity, selector: &str) -> bool {
    identity.id == selector || identity.container_id.as_deref() == Some(selector)
}

fn is_name(identity: &Identity, selector: &str) -> bool {
    identity.name.as_deref() == Some(selector) || display_name(identity) == selector
}

fn is_partial(identity: &Identity, selector: &str) -> bool {
    let begins = |id: &String| !selector.is_empty() && id.starts_with(selector);
    let name = identity.name.as_deref().unwrap_or_default();
    let pod = (identity.kind == Kind::Pod).then_some(identity.pod.as_deref());
    identity.container_id.as_ref().is_some_and(begins)
        || name.strip_suffix(".service") == Some(selector)
        || pod == Some(Some(selector))
        || (identity.kind == Kind::Container && identity.container.as_deref() == Some(selector))
}

fn ambiguous(selector: &str, workloads: &[&Arc<Workload>]) -> SelectorError {
    let label = |workload: &&Arc<Workload>| {
        let name = display_name(&workload.identity);
        match short_id(&workload.identity) {
            Some(id) if id != name => format!("{name} ({id})"),
            _ => format!("{name} ({})", workload.identity.id),
        }
    };
    let mut candidates: Vec<String> = workloads.iter().take(CANDIDATES).map(label).collect();
    if let Some(more) = workloads
        .len()
        .checked_sub(CANDIDATES)
        .filter(|more| *more > 0)
    {
        candidates.push(format!("{more} more"));
    }
    SelectorError::Ambiguous {
        selector: selector.to_owned(),
        candidates: candidates.join(", "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, SystemTime};

    use super::*;

    fn container(id: &str, name: &str, life: Life) -> Arc<Workload> {
        let identity = Identity {
            id: format!("/docker/{id}"),
            kind: Kind::Container,
            container_id: Some(id.to_owned()),
            name: Some(name.to_owned()),
            ..Identity::default()
        };
        workload(identity, life)
    }

    fn workload(identity: Identity, life: Life) -> Arc<Workload> {
        let (identity, placement) = (Arc::new(identity), Arc::default());
        Arc::new(Workload {
            life,
            ..Workload::new(identity, placement, SystemTime::UNIX_EPOCH)
        })
    }

    const DEAD: Life = Life::Dead {
        since: SystemTime::UNIX_EPOCH,
    };

    fn id_of(workloads: &[Arc<Workload>], selector: &str) -> String {
        select(workloads, selector).unwrap().identity.id.clone()
    }

    #[test]
    fn ids_names_and_beginnings() {
        let all = [
            container("aaaa1111", "web", Life::Alive),
            container("aaaa2222", "db", Life::Frozen),
            container("aaaa3333", "web-2", Life::Alive),
        ];
        assert_eq!(id_of(&all, "/docker/aaaa2222"), "/docker/aaaa2222");
        assert_eq!(id_of(&all, "web"), "/docker/aaaa1111");
        assert_eq!(id_of(&all, "aaaa3"), "/docker/aaaa3333");
        let error = select(&all, "aaaa").unwrap_err().to_string();
        assert!(
            error.contains("`aaaa` is ambiguous: web (aaaa1111), db (aaaa2222)"),
            "{error}"
        );
        let error = select(&all, "we").unwrap_err().to_string();
        assert!(error.starts_with("no workload is named `we`"), "{error}");
        assert!(select(&all, "").is_err());
    }

    #[test]
    fn the_alive_one_of_a_name_is_meant_then_the_youngest() {
        let mut younger = Workload::clone(&container("b", "web", DEAD));
        younger.created += Duration::from_secs(1);
        let mut all = vec![container("a", "web", DEAD), Arc::new(younger)];
        assert_eq!(id_of(&all, "web"), "/docker/b");
        all.push(container("c", "web", Life::Alive));
        assert_eq!(id_of(&all, "web"), "/docker/c");
        all.push(container("d", "web", Life::Alive));
        assert!(select(&all, "web").is_err());
    }

    #[test]
    fn units_without_their_suffix_and_pods() {
        let unit = Identity {
            id: "/system.slice/nginx.service".into(),
            kind: Kind::Unit,
            name: Some("nginx.service".into()),
            ..Identity::default()
        };
        let pod = Identity {
            id: "/kubepods/pod1".into(),
            kind: Kind::Pod,
            namespace: Some("shop".into()),
            pod: Some("cart-0".into()),
            ..Identity::default()
        };
        let app = Identity {
            id: "/kubepods/pod1/c".into(),
            kind: Kind::Container,
            container_id: Some("0123456789abcdef".into()),
            container: Some("app".into()),
            ..pod.clone()
        };
        let names = [&unit, &pod, &app].map(display_name);
        assert_eq!(names, ["nginx.service", "shop/cart-0", "shop/cart-0/app"]);
        assert_eq!(short_id(&app), Some("0123456789ab"));
        let all = [unit, pod, app].map(|identity| workload(identity, Life::Alive));
        assert_eq!(id_of(&all, "nginx"), "/system.slice/nginx.service");
        assert_eq!(id_of(&all, "cart-0"), "/kubepods/pod1");
        assert_eq!(id_of(&all, "shop/cart-0/app"), "/kubepods/pod1/c");
        assert_eq!(id_of(&all, "app"), "/kubepods/pod1/c");
    }
}
