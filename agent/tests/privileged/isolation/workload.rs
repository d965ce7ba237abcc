//! A configuration in the API's form, built and launched.

use std::path::Path;

use bollard::models::ContainerCreateBody;
use plimsoll::cgroup::Layout;
use plimsoll::engine::spec::{Files, Joined, Parts, ResolvedMount, build, validate};
use plimsoll::launch::shim::Held;
use serde_json::{Value, json};

use crate::launch::bundle::Dock;

/// What is made ready for a container besides its configuration.
#[derive(Default)]
pub(crate) struct Ready {
    pub(crate) mounts: Vec<ResolvedMount>,
    pub(crate) files: Files,
    pub(crate) join: Joined,
}

/// The specification that runs a shell's line, and what the user is told.
pub(crate) fn specification(
    dock: &Dock,
    id: &str,
    line: &str,
    body: &Value,
    ready: &Ready,
) -> (Value, Vec<String>) {
    let mut body = body.clone();
    body["Cmd"] = json!(["sh", "-c", line]);
    let body: ContainerCreateBody = serde_json::from_value(body).unwrap();
    validate(&body).unwrap();
    let rootfs = dock.file("rootfs");
    let layout = Layout::detect().unwrap();
    let (spec, warnings) = build(&Parts {
        id,
        body: &body,
        image: None,
        rootfs: &rootfs,
        hostname: "inside",
        files: &ready.files,
        mounts: &ready.mounts,
        join: &ready.join,
        cgroup_path: &format!("{}/{id}", dock.parent),
        layout: &layout,
        terminal_size: None,
    })
    .unwrap();
    (serde_json::to_value(spec).unwrap(), warnings)
}

/// What a line says in a container of this configuration, and its exit status.
pub(crate) fn say(dock: &Dock, id: &str, line: &str, body: &Value, ready: &Ready) -> (String, u8) {
    let (built, _) = specification(dock, id, line, body, ready);
    dock.say(id, line, |spec| *spec = built)
}

/// As [`say`], for a line that ends well.
pub(crate) fn told(dock: &Dock, id: &str, line: &str, host: &Value) -> String {
    let (said, code) = say(
        dock,
        id,
        line,
        &json!({"HostConfig": host}),
        &Ready::default(),
    );
    assert_eq!(code, 0, "{said}");
    said
}

/// A bind mount of the host's directory.
pub(crate) fn bind(source: &Path, target: &str, options: &[&str]) -> ResolvedMount {
    ResolvedMount {
        source: source.to_owned(),
        target: target.into(),
        options: options.iter().map(|&option| option.to_owned()).collect(),
    }
}

/// Kills it, with all its processes: the first one's end is theirs.
pub(crate) fn stop(mut held: Held) {
    let pid = nix::unistd::Pid::from_raw(held.made.process.pid.cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    held.wait().unwrap();
    held.reap().unwrap();
}
