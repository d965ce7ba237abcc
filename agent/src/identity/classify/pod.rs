//! Segments that are a pod.

use super::container::is_id;
use crate::identity::workload::Runtime;

/// The pod that `segment` names: Kubernetes with either cgroup driver, podman with either.
pub(super) fn role(segment: &str, parent: Option<&str>) -> Option<(Runtime, String)> {
    if let Some(uid) = segment.strip_prefix("pod").and_then(uid) {
        return Some((Runtime::Kubernetes, uid));
    }
    if let Some(slice) = segment.strip_suffix(".slice") {
        return kubernetes(slice)
            .map(|uid| (Runtime::Kubernetes, uid))
            .or_else(|| podman(slice).map(|id| (Runtime::Podman, id)));
    }
    (parent == Some("libpod_parent") && is_id(segment))
        .then(|| (Runtime::Podman, segment.to_owned()))
}

/// The pod inside an unsplit `<slice>:<prefix>:<id>` segment.
pub(super) fn of_container(segment: &str) -> Option<String> {
    let (slice, _) = segment.split_once(".slice:")?;
    kubernetes(slice)
}

/// `kubepods-burstable-pod<uid>`, also below a prefix (`kubelet-kubepods-…`); dashes of the uid are
/// underscores, since a dash means "child of" in a slice's name.
fn kubernetes(slice: &str) -> Option<String> {
    let (parents, last) = slice.rsplit_once("-pod")?;
    parents
        .contains("kubepods")
        .then(|| uid(&last.replace('_', "-")))?
}

fn podman(slice: &str) -> Option<String> {
    let (_, id) = slice.rsplit_once("libpod_pod_")?;
    is_id(id).then(|| id.to_owned())
}

/// A UUID, or the 32 hexadecimal digits that the kubelet makes for static pods.
fn uid(text: &str) -> Option<String> {
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = || text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hex);
    ((text.len() == 32 && hex(text)) || is_uuid()).then(|| text.to_owned())
}
