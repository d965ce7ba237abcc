//! A cgroup path → what the path alone says. Pure: no file, no engine is asked.
//!
//! The path is read from the root down. Every segment that is a container or a pod changes what the
//! segments below it mean; the last segment decides what the workload is.

mod container;
mod machine;
mod pod;
mod unit;

use super::workload::{Identity, Kind, Runtime};

/// Identity of the cgroup at `path` (absolute in its hierarchy). Total: any string has an answer.
///
/// A cgroup inside a container (`/docker/ID/init.scope`) has that container's id and runtime, but
/// another kind than [`Kind::Container`]: it is part of it, not the container.
#[must_use]
pub fn classify(path: &str) -> Identity {
    let mut walk = Walk::default();
    let mut role = Role::host();
    let mut place = Place::Top;
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        role = walk.enter(segment, place);
        place = match place {
            Place::Top => Place::Second(segment),
            Place::Second(_) | Place::Deeper(_) => Place::Deeper(segment),
        };
    }
    let container_id = match role.kind {
        Kind::Container => role.id,
        _ => walk.container.map(|container| container.id),
    };
    let pod_uid = match role.kind {
        Kind::Pod => walk.pod,
        _ => walk.container_pod.or(walk.pod),
    };
    Identity {
        id: absolute(path),
        runtime: role.runtime,
        kind: role.kind,
        container_id,
        name: role.name,
        pod_uid,
        ..Identity::default()
    }
}

/// Where a segment is: under which parent.
#[derive(Clone, Copy)]
enum Place<'a> {
    Top,
    Second(&'a str),
    Deeper(&'a str),
}

impl<'a> Place<'a> {
    fn parent(self) -> Option<&'a str> {
        match self {
            Self::Top => None,
            Self::Second(parent) | Self::Deeper(parent) => Some(parent),
        }
    }
}

/// What one segment is.
struct Role {
    runtime: Runtime,
    kind: Kind,
    /// Of a container only.
    id: Option<String>,
    name: Option<String>,
}

impl Role {
    fn host() -> Self {
        Self::group(Runtime::Cgroup, Kind::Host)
    }

    fn container(runtime: Runtime, id: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            ..Self::group(runtime, Kind::Container)
        }
    }

    fn named(runtime: Runtime, kind: Kind, name: String) -> Self {
        Self {
            name: Some(name),
            ..Self::group(runtime, kind)
        }
    }

    fn group(runtime: Runtime, kind: Kind) -> Self {
        Self {
            runtime,
            kind,
            id: None,
            name: None,
        }
    }
}

/// The innermost container so far.
struct Container {
    runtime: Runtime,
    id: String,
}

/// What the segments so far were.
#[derive(Default)]
struct Walk {
    container: Option<Container>,
    /// Pod of `container`.
    container_pod: Option<String>,
    /// A pod entered since `container`.
    pod: Option<String>,
}

impl Walk {
    fn enter(&mut self, segment: &str, place: Place<'_>) -> Role {
        if let Some(uid) = pod::of_container(segment) {
            self.pod = Some(uid);
        }
        let in_pod = self.pod.is_some();
        if let Some(role) = container::role(segment, place, in_pod)
            .or_else(|| machine::lxc(segment, place.parent()))
        {
            if let (Kind::Container, Some(id)) = (role.kind, &role.id) {
                self.container = Some(Container {
                    runtime: role.runtime,
                    id: id.clone(),
                });
                self.container_pod = self.pod.take();
            }
            return role;
        }
        if let Some((runtime, uid)) = pod::role(segment, place.parent()) {
            self.pod = Some(uid);
            return Role::group(runtime, Kind::Pod);
        }
        if let Some(role) = machine::role(segment) {
            return role;
        }
        match &self.container {
            Some(container) => unit::inside(segment, container.runtime),
            None => unit::role(segment, place.parent()),
        }
    }
}

/// cAdvisor's form: one leading slash, none at the end.
fn absolute(path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

#[cfg(test)]
mod tests;
