//! Block I/O, by device.

use crate::cgroup::DeviceIo;
use crate::ledger::Workload;
use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::samples::Samples;
use crate::metrics::scrape::Scrape;

/// What the block layer counts in, whatever the device's own block is.
const SECTOR_BYTES: u64 = 512;

pub(super) const GROUP: Group = Group {
    title: "Block I/O",
    about: "What reached a device on the workload's behalf, never the device's own totals. `device` is \
            `/dev/NAME`, or `major:minor` for a device that has gone. On cgroup v1 the kernel counts only \
            on disks with a throttle rule, so a probe counts there, from the start of the agent on; its \
            files (in brackets) serve where the probe is off.",
    families: &[
        Family {
            name: "container_fs_reads_bytes_total",
            unit: "bytes",
            help: "Bytes read.",
            source: Source::split("io.stat rbytes", BYTES_V1),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.read_bytes);
            }),
            ..DISK
        },
        Family {
            name: "container_fs_writes_bytes_total",
            unit: "bytes",
            help: "Bytes written.",
            source: Source::split("io.stat wbytes", BYTES_V1),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.write_bytes);
            }),
            ..DISK
        },
        Family {
            name: "container_fs_reads_total",
            help: "Reads.",
            source: Source::split("io.stat rios", OPERATIONS_V1),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.reads);
            }),
            ..DISK
        },
        Family {
            name: "container_fs_writes_total",
            help: "Writes.",
            source: Source::split("io.stat wios", OPERATIONS_V1),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.writes);
            }),
            ..DISK
        },
        Family {
            name: "container_fs_sector_reads_total",
            help: "Sectors of 512 bytes read.",
            source: Source::split(
                "io.stat rbytes / 512: exact, the block layer counts sectors",
                BYTES_V1,
            ),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.read_bytes / SECTOR_BYTES);
            }),
            ..DISK
        },
        Family {
            name: "container_fs_sector_writes_total",
            help: "Sectors of 512 bytes written.",
            source: Source::split(
                "io.stat wbytes / 512: exact, the block layer counts sectors",
                BYTES_V1,
            ),
            emit: Emit::Workload(|scrape, workload, out| {
                each(scrape, workload, out, |io| io.write_bytes / SECTOR_BYTES);
            }),
            ..DISK
        },
        Family {
            name: "container_blkio_device_usage_total",
            unit: "bytes",
            help: "Bytes by operation. Do not sum over it: v1's files have Sync, Async and Total too, which count the same bytes again.",
            labels: &["device", "major", "minor", "operation"],
            source: Source::split(
                "io.stat rbytes and wbytes: Read, Write",
                "tracepoint block/block_bio_queue: Read, Write (blkio.throttle.io_service_bytes_recursive: also Sync, Async, Discard, Total)",
            ),
            emit: Emit::Workload(|scrape, workload, out| {
                for io in workload.reading.io.iter().flatten() {
                    operations(scrape, io, out);
                }
            }),
            ..DISK
        },
    ],
};

const BYTES_V1: &str =
    "tracepoint block/block_bio_queue (blkio.throttle.io_service_bytes_recursive)";
const OPERATIONS_V1: &str =
    "tracepoint block/block_bio_queue (blkio.throttle.io_serviced_recursive)";

const DISK: Family = Family {
    kind: Counter,
    labels: &["device"],
    absent: "nothing read from or written to the device, or no io (v1: blkio) controller",
    ..Family::WORKLOAD
};

fn each(
    scrape: &Scrape<'_>,
    workload: &Workload,
    out: &mut Samples<'_>,
    value: fn(&DeviceIo) -> u64,
) {
    for io in workload.reading.io.iter().flatten() {
        if let Some(device) = scrape.devices.get(io.device) {
            out.push_with(&[("device", &device.path)], value(io));
        }
    }
}

fn operations(scrape: &Scrape<'_>, io: &DeviceIo, out: &mut Samples<'_>) {
    let Some(device) = scrape.devices.get(io.device) else {
        return;
    };
    // v1 alone tells synchronous operations apart, and totals them.
    let v1 = io.sync_bytes.or(io.async_bytes).is_some();
    let total = io.read_bytes + io.write_bytes + io.discard_bytes;
    let operations = [
        ("Read", Some(io.read_bytes)),
        ("Write", Some(io.write_bytes)),
        ("Sync", io.sync_bytes),
        ("Async", io.async_bytes),
        ("Discard", v1.then_some(io.discard_bytes)),
        ("Total", v1.then_some(total)),
    ];
    for (operation, bytes) in operations {
        if let Some(bytes) = bytes {
            let labels = [
                ("device", device.path.as_str()),
                ("major", &device.major),
                ("minor", &device.minor),
                ("operation", operation),
            ];
            out.push_with(&labels, bytes);
        }
    }
}
