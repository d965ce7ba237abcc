//! v1 `blkio`.
//!
//! The throttling policy counts every bio on 5.10; on 6.1 those that a rule applies to
//! (block/blk-throttle.h blk_throtl_bio(), v6.1); since 6.10 every bio of disks where some cgroup
//! ever had a rule (blk_should_throtl(), v6.12). So on most hosts there are no counts here. Where BFQ schedules the disk it counts too, in files of its own.

use std::sync::Arc;

use crate::cgroup::DeviceNumber;
use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::parse;
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::DeviceIo;

#[derive(Debug)]
pub(super) struct Blkio {
    place: Arc<Place>,
    throttle: Policy,
    bfq: Policy,
}

/// The files of one policy that counts.
#[derive(Debug)]
struct Policy {
    bytes: KernFile,
    operations: KernFile,
}

/// One line's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Operation {
    Read,
    Write,
    Sync,
    Async,
    Discard,
}

impl Blkio {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self {
            place,
            throttle: Policy {
                bytes: KernFile::kept("blkio.throttle.io_service_bytes_recursive"),
                operations: KernFile::kept("blkio.throttle.io_serviced_recursive"),
            },
            bfq: Policy {
                bytes: KernFile::kept("blkio.bfq.io_service_bytes_recursive"),
                operations: KernFile::kept("blkio.bfq.io_serviced_recursive"),
            },
        }
    }

    /// `None`: neither policy is in this kernel.
    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<DeviceIo>>, Vanished> {
        let throttle = self.throttle.read(&self.place, scratch)?;
        if throttle.as_ref().is_some_and(|devices| !devices.is_empty()) {
            return Ok(throttle);
        }
        Ok(self.bfq.read(&self.place, scratch)?.or(throttle))
    }

    pub(super) fn files(&mut self) -> [&mut KernFile; 4] {
        let Self { throttle, bfq, .. } = self;
        [
            &mut throttle.bytes,
            &mut throttle.operations,
            &mut bfq.bytes,
            &mut bfq.operations,
        ]
    }
}

impl Policy {
    fn read(
        &mut self,
        place: &Place,
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<DeviceIo>>, Vanished> {
        let Some(text) = self.bytes.read(place, scratch)? else {
            return Ok(None);
        };
        let mut devices = Vec::new();
        for (device, operation, value) in counts(text) {
            let io = entry(&mut devices, device);
            match operation {
                Operation::Read => io.read_bytes = value,
                Operation::Write => io.write_bytes = value,
                Operation::Sync => io.sync_bytes = Some(value),
                Operation::Async => io.async_bytes = Some(value),
                Operation::Discard => io.discard_bytes = value,
            }
        }
        if devices.is_empty() {
            return Ok(Some(devices));
        }
        let Some(text) = self.operations.read(place, scratch)? else {
            return Ok(Some(devices));
        };
        for (device, operation, value) in counts(text) {
            let io = entry(&mut devices, device);
            match operation {
                Operation::Read => io.reads = value,
                Operation::Write => io.writes = value,
                Operation::Discard => io.discards = value,
                Operation::Sync | Operation::Async => {}
            }
        }
        Ok(Some(devices))
    }
}

/// Lines of `major:minor Operation count`; the totals are left out.
pub(in crate::cgroup) fn counts(
    text: &[u8],
) -> impl Iterator<Item = (DeviceNumber, Operation, u64)> {
    parse::lines(text).filter_map(|line| {
        let (device, rest) = parse::cut(line, b' ')?;
        let (operation, value) = parse::cut(rest, b' ')?;
        let operation = match operation {
            b"Read" => Operation::Read,
            b"Write" => Operation::Write,
            b"Sync" => Operation::Sync,
            b"Async" => Operation::Async,
            b"Discard" => Operation::Discard,
            _ => return None,
        };
        Some((parse::device(device)?, operation, parse::number(value)?))
    })
}

/// The device's own entry; lines of one device stand together, so it is the last one or new.
fn entry(devices: &mut Vec<DeviceIo>, device: DeviceNumber) -> &mut DeviceIo {
    let at = match devices.iter().rposition(|io| io.device == device) {
        Some(at) => at,
        None => {
            devices.push(DeviceIo {
                device,
                ..DeviceIo::default()
            });
            devices.len() - 1
        }
    };
    &mut devices[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_counts_nothing_has_no_lines() {
        assert_eq!(counts(b"Total 0\n").count(), 0);
    }

    #[test]
    fn every_operation_of_every_device_but_the_totals() {
        let text = b"254:0 Read 4096\n254:0 Write 0\n254:0 Sync 4096\n254:0 Async 0\n\
            254:0 Discard 0\n254:0 Total 4096\n7:3 Read 512\n7:3 Total 512\nTotal 4608\n";
        let disk = DeviceNumber {
            major: 254,
            minor: 0,
        };
        let counted: Vec<_> = counts(text).collect();
        assert_eq!(counted.len(), 6);
        assert_eq!(counted[0], (disk, Operation::Read, 4096));
        assert_eq!(
            counted[5],
            (DeviceNumber { major: 7, minor: 3 }, Operation::Read, 512)
        );
    }
}
