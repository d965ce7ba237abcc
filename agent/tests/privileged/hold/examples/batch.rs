//! Batch under pressure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Cell, Engine, example};
use crate::support::own_cgroup::mount_of;
use crate::support::{installed, poll};

pub(super) const FILE: &str = "batch-under-pressure.toml";
const MIB: u64 = 1 << 20;

/// A working set that does not fit: what is read comes from the disk over and over.
fn thrash(cell: &mut Cell, file: &std::path::Path) {
    cell.set_memory_max(48 * MIB);
    let file = format!("--filename={}", file.display());
    let options = "--name=x --filesize=160m --rw=randread --ioengine=mmap --bs=4k --thread \
                   --numjobs=16 --time_based --runtime=100";
    let arguments: Vec<_> = options.split_whitespace().chain([file.as_str()]).collect();
    cell.spawn("fio", &arguments);
}

/// Memory in a process that waits, and somebody who uses a CPU.
fn work(cell: &mut Cell) -> [u32; 2] {
    let memory = "my $x = 'x' x (96 << 20); sleep 1000";
    let large = cell.spawn("perl", &["-e", memory]).id();
    [large, cell.spawn("sh", &["-c", "while :; do :; done"]).id()]
}

#[test]
fn batch_work_gives_way_to_the_one_who_is_short() {
    let test = "batch_work_gives_way_to_the_one_who_is_short";
    if !installed(test, "fio") || !installed(test, "perl") {
        return;
    }
    let engine = Engine::new();
    let (Some(mut batch), Some(mut other), Some(mut short)) = (
        engine.container(test, ("tier", "batch")),
        engine.container(test, ("tier", "web")),
        Cell::make(test),
    ) else {
        return;
    };
    let changes = [
        // While anybody on this host works, it is not stalled as a whole.
        (r#"psi = "memory.full""#, r#"psi = "memory.some""#),
        (r#"after = "10s""#, r#"after = "1s""#),
        (r#"freeze = { max = "30s" }"#, r#"freeze = { max = "2s" }"#),
        (r#"after = "30s""#, r#"after = "2s""#),
    ];
    let Some(agent) = engine.agent(test, &example(FILE, &changes)) else {
        return;
    };
    // Nobody is killed for a small part of the host's memory, unless it is most of what it may have.
    batch.set_memory_max(256 * MIB);
    let [_, busy] = work(&mut batch);
    let mut others = work(&mut other);
    others.sort_unstable();
    // 10 of v2's 1 to 10,000 is 102 of v1's 2 to 262,144.
    let least = if mount_of("cpu").is_some() { 102 } else { 10 };
    poll("weight", || (batch.cpu_weight() == least).then_some(()));
    let scratch = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
    thrash(&mut short, scratch.path());

    let quota = poll("throttle", || batch.cpu_quota());
    assert!((10_000..=100_000).contains(&quota), "{quota}");
    poll("freeze", || batch.is_frozen().then_some(()));
    // The largest is asked to end; the other goes on.
    poll("end of the largest", || {
        (batch.processes() == [busy]).then_some(())
    });
    // The record follows the end.
    let told = poll("record", || {
        let told = agent.say(&["actions", &batch.path()]);
        told.contains("killed the largest").then_some(told)
    });
    for deed in ["told of", "67108864 bytes of", "set cpu.max", "froze"] {
        assert!(told.contains(deed), "no `{deed}` in\n{told}");
    }
    // Who is no batch is left alone.
    let mut left = other.processes();
    left.sort_unstable();
    assert_eq!(left, others);
    assert_eq!((other.cpu_quota(), other.is_frozen()), (None, false));
    drop(agent);
    assert_eq!((batch.cpu_quota(), batch.is_frozen()), (None, false));
}

/// The same file, going by what the workload itself waits for.
#[test]
fn batch_work_that_thrashes_gives_way() {
    let test = "batch_work_that_thrashes_gives_way";
    if !installed(test, "fio") {
        return;
    }
    let engine = Engine::new();
    let Some(mut batch) = engine.container(test, ("tier", "batch")) else {
        return;
    };
    let changes = [
        (
            r#"psi = "memory.full", of = "host""#,
            r#"psi = "memory.some""#,
        ),
        (r#"above = "64MiB""#, r#"above = "16MiB""#),
    ];
    let Some(agent) = engine.agent(test, &example(FILE, &changes)) else {
        return;
    };
    let scratch = tempfile::NamedTempFile::new_in("/var/tmp").unwrap();
    thrash(&mut batch, scratch.path());
    poll("throttle", || batch.cpu_quota());
    let why = agent.say(&["why", &batch.path()]);
    assert!(why.contains("memory.some pressure above 10%"), "{why}");
}
