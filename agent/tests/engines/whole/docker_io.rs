//! Direct I/O of a known size.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{agent_of, docker};
use crate::samples::Samples;
use crate::{blocking_turn, skip};

/// Small enough not to be split, and a whole number of the file system's blocks.
const BLOCK: u64 = 4096;
const BLOCKS: u64 = 2048;
/// Less than a hundredth of what is moved.
const PAGED_IN: f64 = 64.0 * 1024.0;
const WRITE: &str = "dd if=/dev/zero of=/data/file bs=4096 count=2048 oflag=direct";
const REWRITE: &str = "dd if=/dev/zero of=/data/file bs=4096 count=2048 oflag=direct conv=notrunc";
const READ: &str = "dd if=/data/file of=/dev/null bs=4096 count=2048 iflag=direct";

#[test]
fn docker_io_is_what_dd_did() {
    let test = "docker_io_is_what_dd_did";
    let Some(docker) = docker(test) else { return };
    let _turn = blocking_turn();
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = disk_of(dir.path()) else {
        return skip(test, "temporary files are on no disk");
    };
    let agent = agent_of(&docker);
    let volume = format!("{}:/data", dir.path().display());
    let options = ["--name", "disk", "--volume", &volume];
    let _container = docker.container("none", &options, &["/bin/sleep", "600"]);
    agent.wait("its name", |samples| {
        samples.of("disk", "container_last_seen")
    });
    let bytes = (BLOCKS * BLOCK) as f64;

    // The first time the file system has its own to read and write for the container's sake.
    docker.cli(&["exec", "disk", "sh", "-c", WRITE]);
    let first = agent.fresh();
    let written = total(&first, "container_fs_writes_bytes_total", &disk);
    assert!(written >= bytes, "{written} of {bytes} were told");

    for (command, what, idle) in [(REWRITE, "writes", "reads"), (READ, "reads", "writes")] {
        let [bytes_of, count_of] = ["_bytes_total", "_total"];
        let family = |kind: &str, end: &str| format!("container_fs_{kind}{end}");
        let before = agent.fresh();
        docker.cli(&["exec", "disk", "sh", "-c", command]);
        let after = agent.fresh();
        let more = |kind: &str, end: &str| {
            let family = family(kind, end);
            total(&after, &family, &disk) - total(&before, &family, &disk)
        };
        println!(
            "{what}: {} bytes, {} times",
            more(what, bytes_of),
            more(what, count_of)
        );
        // Nothing else writes; pages of `dd` that the host reclaimed are read again.
        let spare = |kind: &str| if kind == "reads" { PAGED_IN } else { 0.0 };
        let told = more(what, bytes_of);
        assert!(told >= bytes && told <= bytes + spare(what), "{told}");
        let times = more(what, count_of);
        let most = BLOCKS as f64 + spare(what) / BLOCK as f64;
        assert!(times >= BLOCKS as f64 && times <= most, "{times} times");
        let told = more(idle, bytes_of);
        assert!(told <= spare(idle), "{told} of {idle} during {what}");
    }
    let devices = agent
        .scrape()
        .devices("disk", "container_fs_writes_bytes_total");
    assert!(devices.contains(&disk), "{devices:?}");
}

fn total(samples: &Samples, family: &str, disk: &str) -> f64 {
    let labels = [("name", "disk"), ("device", disk)];
    samples
        .one(family, &labels)
        .map_or(0.0, |sample| sample.value)
}

/// The whole disk under a path: `/dev/sda` for a file system on `/dev/sda1`.
fn disk_of(path: &Path) -> Option<String> {
    let device = fs::metadata(path).unwrap().dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let mut node = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    if node.join("partition").exists() {
        node.pop();
    }
    Some(format!("/dev/{}", node.file_name()?.to_str()?))
}
