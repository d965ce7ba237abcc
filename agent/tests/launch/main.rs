//! Engines that run their own containers through `plimsoll-oci`, beside the same ones through runc: what
//! differs is wrong.
//!
//! A test that cannot run here says why, and adds itself to the file named in `PLIMSOLL_SKIPS`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bundle;
#[allow(dead_code, reason = "shared with the tests of engines")]
#[path = "../engines/docker.rs"]
mod docker;
#[allow(dead_code, reason = "shared with the tests of engines")]
#[path = "../engines/host.rs"]
mod host;
#[allow(dead_code, reason = "shared with the tests of engines")]
#[path = "../engines/podman.rs"]
mod podman;
mod shown;
mod specification;
mod through_docker;
mod through_podman;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The runtime under the name that makes it one, in a directory of the test's.
fn runtime(directory: &Path) -> PathBuf {
    let link = directory.join("plimsoll-oci");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_plimsoll"), &link).unwrap();
    link
}

/// Says that a test cannot run here, and why.
fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}\n");
    eprint!("skipped {line}");
    if let Some(path) = std::env::var_os("PLIMSOLL_SKIPS") {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}
