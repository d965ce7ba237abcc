//! v2 `io.stat`.

use crate::cgroup::parse;
use crate::cgroup::reading::DeviceIo;

/// Lines of `major:minor rbytes=… wbytes=… rios=… wios=… dbytes=… dios=…`. Kernels around 5.15
/// also print devices that have nothing to say, some without the line's end: words are what can be
/// relied on, and a device counts once it has a value.
pub(in crate::cgroup) fn devices(text: &[u8]) -> Vec<DeviceIo> {
    let mut devices = Vec::<DeviceIo>::new();
    let mut current = None;
    for word in parse::words(text) {
        let Some((key, value)) = parse::cut(word, b'=') else {
            // `(unknown)` for a device that is going away: its values belong to nobody.
            current = parse::device(word);
            continue;
        };
        let (Some(device), Some(value)) = (current, parse::number(value)) else {
            continue;
        };
        if devices.last().is_none_or(|io| io.device != device) {
            devices.push(DeviceIo {
                device,
                ..DeviceIo::default()
            });
        }
        let Some(io) = devices.last_mut() else {
            continue;
        };
        match key {
            b"rbytes" => io.read_bytes = value,
            b"wbytes" => io.write_bytes = value,
            b"rios" => io.reads = value,
            b"wios" => io.writes = value,
            b"dbytes" => io.discard_bytes = value,
            b"dios" => io.discards = value,
            _ => {}
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::DeviceNumber;

    const DISK: DeviceNumber = DeviceNumber {
        major: 254,
        minor: 0,
    };

    #[test]
    fn devices_without_values_are_left_out() {
        // Two idle disks before one that worked.
        let text = b"7:0 7:1 254:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=8 dios=3\n";
        let io = DeviceIo {
            device: DISK,
            read_bytes: 4096,
            write_bytes: 512,
            reads: 1,
            writes: 2,
            discard_bytes: 8,
            discards: 3,
            sync_bytes: None,
            async_bytes: None,
        };
        assert_eq!(devices(text), [io]);
    }

    #[test]
    fn values_of_an_unknown_device_go_to_nobody() {
        let text = b"254:0 rbytes=1 wbytes=0\n(unknown) rbytes=99 wbytes=99\n";
        let found = devices(text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].device, found[0].read_bytes), (DISK, 1));
    }

    #[test]
    fn other_policies_values_are_passed_over() {
        let text = b"254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n";
        assert_eq!(devices(text)[0].discards, 6);
    }
}
