//! Why a cgroup lacks a file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::site::Site;
use super::{ControlError, Knob, NotEnforceable};
use crate::cgroup::Controller;

/// A file that is not there has a reason.
pub(super) fn name_absent(site: &Site, knob: Knob, error: ControlError) -> ControlError {
    match error {
        ControlError::Read { path, source } if source.kind() == ErrorKind::NotFound => {
            let name = path.file_name().and_then(|name| name.to_str());
            absent(site, knob, name.unwrap_or_else(|| knob.name())).into()
        }
        other => other,
    }
}

/// Why the cgroup has no such file.
pub(super) fn absent(site: &Site, knob: Knob, name: &str) -> NotEnforceable {
    let reason = if site.is_unified() {
        not_enabled(site, knob.controller()).unwrap_or_else(|| knob.why_v2_lacks(name))
    } else {
        format!("this kernel has no {name} on cgroup v1")
    };
    NotEnforceable {
        what: knob.name(),
        reason,
    }
}

/// The cgroup nearest to the root that does not hand the controller down. Its owner may change
/// that; we do not.
fn not_enabled(site: &Site, controller: Controller) -> Option<String> {
    let lacks = |directory: &&Path| {
        fs::read_to_string(directory.join("cgroup.subtree_control")).is_ok_and(|list| {
            !list
                .split_whitespace()
                .any(|name| name == controller.name())
        })
    };
    let above: Vec<_> = site.above().collect();
    let first = above.into_iter().rev().find(lacks)?;
    Some(format!(
        "controller {} is not enabled in {}",
        controller.name(),
        first.join("cgroup.subtree_control").display()
    ))
}
