//! CPU, memory, I/O, tasks and pressure of a workload, against its cgroup's files.

use std::fs;

use serde_json::Value;

use crate::agent::running;
use crate::cgroups::{Cgroup, has_v2, is_pure_v2};
use crate::guest::{outbox, poll, skip};

const BUSY: [&str; 2] = ["-c", "while :; do :; done"];

/// `file key`, or the v1 file that says the same in nanoseconds.
fn cpu_ns(cgroup: &Cgroup) -> u64 {
    if is_pure_v2() {
        cgroup.field("cpu.stat", "usage_usec").unwrap() * 1000
    } else {
        cgroup.number("cpuacct.usage")
    }
}

#[test]
fn cpu_time_is_the_kernels() {
    if outbox("cpu_time_is_the_kernels").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/cpu");
    let busy = cgroup.spawn("sh", &BUSY);
    poll("half a second of CPU", || {
        (cpu_ns(&cgroup) > 500_000_000).then_some(())
    });
    drop(busy);
    // Nothing runs there any more: what the agent says next is the last word.
    let total = poll("the end", || {
        let total = cpu_ns(&cgroup);
        std::thread::sleep(std::time::Duration::from_millis(20));
        (total == cpu_ns(&cgroup)).then_some(total)
    });
    poll("the kernel's total", || {
        let workload = agent.workload("/cpu")?;
        let ours = workload["reading"]["cpu"]["usage_ns"].as_u64()?;
        assert!(ours <= total, "{ours} is more than {total}");
        (ours == total).then_some(())
    });
    cgroup.remove();
    let last = poll("a dead workload", || {
        let workload = agent.workload("/cpu")?;
        (workload["life"]["state"] == "dead").then_some(workload)
    });
    assert_eq!(last["reading"]["cpu"]["usage_ns"], total);
}

#[test]
fn throttling_is_the_kernels() {
    if outbox("throttling_is_the_kernels").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/throttled");
    if is_pure_v2() {
        cgroup.write("cpu.max", "4000 20000");
    } else {
        cgroup.write("cpu.cfs_period_us", "20000");
        cgroup.write("cpu.cfs_quota_us", "4000");
    }
    let periods = || cgroup.field("cpu.stat", "nr_throttled").unwrap();
    let busy = cgroup.spawn("sh", &BUSY);
    poll("throttled periods", || (periods() >= 5).then_some(()));
    drop(busy);
    // Limits are read less often than counters.
    poll("the kernel's count, and the limit", || {
        let reading = &agent.workload("/throttled")?["reading"];
        let ours = reading["cpu"]["throttling"]["throttled_periods"].as_u64()?;
        (ours == periods() && reading["limits"]["cpu_quota_us"] == 4000).then_some(())
    });
    cgroup.remove();
}

#[test]
fn memory_is_the_kernels() {
    if outbox("memory_is_the_kernels").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/memory");
    let (usage, rss, limit) = if is_pure_v2() {
        ("memory.current", "anon", "memory.max")
    } else {
        (
            "memory.usage_in_bytes",
            "total_rss",
            "memory.limit_in_bytes",
        )
    };
    cgroup.write(limit, "100663296");
    let hold = "x=$(head -c 12582912 /dev/zero | tr '\\0' x); sleep 60";
    let _holder = cgroup.spawn("sh", &["-c", hold]);
    poll("12 MiB in use", || {
        (cgroup.field("memory.stat", rss)? > 12 << 20).then_some(())
    });
    let oracle = || {
        (
            cgroup.number(usage),
            cgroup.field("memory.stat", rss).unwrap(),
        )
    };
    poll("the kernel's numbers", || {
        let before = oracle();
        let workload = agent.workload("/memory")?;
        let memory = &workload["reading"]["memory"];
        let ours = (
            memory["usage_bytes"].as_u64()?,
            memory["rss_bytes"].as_u64()?,
        );
        (before == oracle() && ours == before).then_some(())
    });
    let workload = agent.workload("/memory").unwrap();
    assert_eq!(
        workload["reading"]["limits"]["memory_max_bytes"],
        100_663_296
    );
    let exported = agent.metric("container_spec_memory_limit_bytes", &["id=\"/memory\""]);
    assert_eq!(exported, Some(100_663_296.0));
    cgroup.remove();
}

/// The scratch disk: bytes written through the whole disk and through its partition.
#[test]
fn disk_io_is_counted_to_the_byte() {
    if outbox("disk_io_is_counted_to_the_byte").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/disk");
    // Each writes 16 blocks of 64 KiB past the page cache, and reads them again.
    for disk in ["/dev/vda", "/dev/vda1"] {
        let (from, to) = (format!("if={disk}"), format!("of={disk}"));
        for arguments in [
            [
                "if=/dev/zero",
                &to,
                "bs=64k",
                "count=16",
                "seek=64",
                "oflag=direct",
            ],
            [
                &from,
                "of=/dev/null",
                "bs=64k",
                "count=16",
                "skip=64",
                "iflag=direct",
            ],
        ] {
            assert!(cgroup.spawn("dd", &arguments).wait().success());
        }
    }
    let number = fs::read_to_string("/sys/block/vda/dev").unwrap();
    let (major, minor) = number.trim().split_once(':').unwrap();
    let (major, minor): (u64, u64) = (major.parse().unwrap(), minor.parse().unwrap());
    let io = poll("the I/O of the disk", || {
        let workload = agent.workload("/disk")?;
        let devices = workload["reading"]["io"].as_array()?.clone();
        devices.into_iter().find(|io| {
            io["device"]["major"] == major
                && io["device"]["minor"] == minor
                && io["writes"].as_u64() >= Some(32)
                && io["reads"].as_u64() >= Some(32)
        })
    });
    assert_eq!(
        (&io["writes"], &io["write_bytes"]),
        (&32.into(), &(32 << 16).into())
    );
    // The kernel may look at the partition table in between, on somebody else's account or this.
    assert!(io["read_bytes"].as_u64() >= Some(32 << 16), "{io}");
    if is_pure_v2() {
        let stat = cgroup.read("io.stat");
        let line = stat
            .lines()
            .find(|line| line.starts_with(number.trim()))
            .unwrap();
        for (key, ours) in [
            ("rbytes", "read_bytes"),
            ("rios", "reads"),
            ("wbytes", "write_bytes"),
        ] {
            assert!(
                line.contains(&format!(" {key}={}", io[ours])),
                "{key}: {line}: {io}"
            );
        }
    }
    cgroup.remove();
}

#[test]
fn tasks_are_counted_by_state() {
    if outbox("tasks_are_counted_by_state").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/counted");
    let sleepers: Vec<_> = (0..3).map(|_| cgroup.spawn("sleep", &["60"])).collect();
    let _busy = cgroup.spawn("sh", &BUSY);
    let counted = |workload: &Value, what: &str| workload["tasks"]["counted"][what].as_u64();
    poll("three that sleep and one that runs", || {
        let workload = agent.workload("/counted")?;
        let fits = counted(&workload, "processes")? == 4
            && counted(&workload, "sleeping")? == 3
            && counted(&workload, "running")? == 1;
        fits.then_some(())
    });
    drop(sleepers);
    poll("one that runs", || {
        let workload = agent.workload("/counted")?;
        (counted(&workload, "processes")? == 1).then_some(())
    });
    cgroup.remove();
}

#[test]
fn context_switches_are_counted() {
    let test = "context_switches_are_counted";
    if outbox(test).is_none() {
        return;
    }
    if !has_v2() {
        skip(
            test,
            "no cgroup2 mount: tasks are in no v2 cgroup of their own",
        );
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/switches");
    let looped = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01; done";
    assert!(cgroup.spawn("sh", &["-c", looped]).wait().success());
    // Each sleep is switched in when it starts, and again when its time is over.
    poll("twenty switches", || {
        let switches = agent.workload("/switches")?["switches"].as_u64()?;
        (switches >= 20).then_some(())
    });
    cgroup.remove();
}

#[test]
fn pressure_is_the_kernels() {
    let test = "pressure_is_the_kernels";
    if outbox(test).is_none() {
        return;
    }
    if !has_v2() {
        skip(test, "no cgroup2 mount: no pressure per cgroup");
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/pressure");
    let total = || -> u64 {
        let text = cgroup.read("cpu.pressure");
        let some = text.lines().find(|line| line.starts_with("some")).unwrap();
        some.rsplit('=').next().unwrap().parse().unwrap()
    };
    // Four for two CPUs.
    let busy: Vec<_> = (0..4).map(|_| cgroup.spawn("sh", &BUSY)).collect();
    poll("a tenth of a second of waiting", || {
        (total() > 100_000).then_some(())
    });
    drop(busy);
    poll("the kernel's total", || {
        let before = total();
        let workload = agent.workload("/pressure")?;
        let ours = workload["reading"]["cpu_pressure"]["some"]["total_us"].as_u64()?;
        (before == total() && ours == before).then_some(())
    });
    cgroup.remove();
}
