//! A token bucket filter on an interface.

use std::io;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use super::veth::HostEnd;
use crate::netlink::Route;

/// What makes a queue ours: its handle, `504c:` (`PL`), beside its kind.
const HANDLE: TcHandle = TcHandle {
    major: 0x504c,
    minor: 0,
};
const KIND: &str = "tbf";
/// `TCA_TBF_*` and `TC_LINKLAYER_ETHERNET` (include/uapi/linux/pkt_sched.h, v6.12).
const PARAMETERS: u16 = 1;
const RATE64: u16 = 4;
const BURST: u16 = 6;
const LINKLAYER_ETHERNET: u8 = 1;
/// The queue counts this too; a rate is of bytes from the IP header on.
const ETHERNET_HEADER: u64 = 14;
/// Sent at once, at the least: half of the largest buffer TCP hands down.
const BURST_MIN: u64 = 32 << 10;
/// Waiting, at the least: two of the largest buffers. Beyond it packets are lost.
const LIMIT_MIN: u64 = 128 << 10;
const BURST_MS: u64 = 2;
const LIMIT_MS: u64 = 50;

/// Why an interface's queue cannot hold the rate.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueueError {
    #[error("{interface} has a {kind} queue that somebody else set")]
    Foreign { interface: String, kind: String },
    #[error("cannot read or set the queue of {interface}")]
    Set {
        interface: String,
        source: io::Error,
    },
}

/// Holds what the host sends through this interface to a rate. Refused where somebody else has set
/// a queue; the kernel's own default comes back with [`clear`].
pub(super) fn set(
    end: &HostEnd,
    bits_per_second: u64,
    burst_bytes: Option<u64>,
) -> Result<(), QueueError> {
    let failed = |source| QueueError::Set {
        interface: end.name.clone(),
        source,
    };
    let route = Route::open().map_err(failed)?;
    if let Some(root) = root(&route, end.index).map_err(failed)?
        && !root.is_default()
        && !root.is_ours()
    {
        return Err(QueueError::Foreign {
            interface: end.name.clone(),
            kind: root.kind,
        });
    }
    let mut message = message(end.index);
    let options = options(end, bits_per_second / 8, burst_bytes);
    message.attributes = vec![
        TcAttribute::Kind(KIND.to_owned()),
        TcAttribute::Options(options),
    ];
    let order = RouteNetlinkMessage::NewQueueDiscipline(message);
    route
        .order(order, NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(failed)
}

/// Removes our queue from the interface, if it is there; the kernel puts its default in its place.
pub(super) fn clear(ifindex: u32) -> io::Result<()> {
    let route = Route::open()?;
    match root(&route, ifindex)? {
        Some(root) if root.is_ours() => {
            route.order(RouteNetlinkMessage::DelQueueDiscipline(message(ifindex)), 0)
        }
        _ => Ok(()),
    }
}

/// The queue at an interface's root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    handle: TcHandle,
    kind: String,
}

impl Root {
    /// The kernel gives what it puts there by itself no handle.
    fn is_default(&self) -> bool {
        self.handle.major == 0
    }

    fn is_ours(&self) -> bool {
        self.handle == HANDLE && self.kind == KIND
    }
}

fn root(route: &Route, ifindex: u32) -> io::Result<Option<Root>> {
    let all = route.dump(RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()))?;
    Ok(all.into_iter().find_map(|answer| {
        let RouteNetlinkMessage::NewQueueDiscipline(queue) = answer else {
            return None;
        };
        let header = &queue.header;
        if u32::try_from(header.index) != Ok(ifindex) || header.parent != TcHandle::ROOT {
            return None;
        }
        let kind = queue
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                TcAttribute::Kind(kind) => Some(kind.clone()),
                _ => None,
            });
        Some(Root {
            handle: header.handle,
            kind: kind.unwrap_or_default(),
        })
    }))
}

fn message(ifindex: u32) -> TcMessage {
    let mut message = TcMessage::with_index(ifindex.cast_signed());
    message.header.handle = HANDLE;
    message.header.parent = TcHandle::ROOT;
    message
}

fn options(end: &HostEnd, rate: u64, burst_bytes: Option<u64>) -> Vec<TcOption> {
    let mtu = u64::from(end.mtu.max(1));
    // Exact for full packets; less than the rate passes where they are small.
    let rate = rate * (mtu + ETHERNET_HEADER) / mtu;
    let burst = burst_bytes
        .unwrap_or(rate * BURST_MS / 1_000)
        .max(BURST_MIN)
        .max(mtu + ETHERNET_HEADER);
    let limit = (rate * LIMIT_MS / 1_000).max(LIMIT_MIN).max(burst);
    let saturated = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    // `struct tc_tbf_qopt` (include/uapi/linux/pkt_sched.h, v6.12): rate, peak rate, limit, buffer,
    // mtu; a `struct tc_ratespec` is cell_log, linklayer, overhead, cell_align, mpu, rate.
    let mut parameters = [0u8; 36];
    parameters[1] = LINKLAYER_ETHERNET;
    parameters[8..12].copy_from_slice(&saturated(rate).to_ne_bytes());
    parameters[13] = LINKLAYER_ETHERNET;
    parameters[24..28].copy_from_slice(&saturated(limit).to_ne_bytes());
    let option = |kind, value| TcOption::Other(DefaultNla::new(kind, value));
    vec![
        option(PARAMETERS, parameters.to_vec()),
        option(RATE64, rate.to_ne_bytes().to_vec()),
        option(BURST, saturated(burst).to_ne_bytes().to_vec()),
    ]
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Nla;

    use super::*;

    fn end(mtu: u32) -> HostEnd {
        HostEnd {
            index: 7,
            name: "veth7".to_owned(),
            mtu,
        }
    }

    fn value(option: &TcOption) -> Vec<u8> {
        let mut bytes = vec![0; option.value_len()];
        option.emit_value(&mut bytes);
        bytes
    }

    #[test]
    fn the_queues_rate_has_room_for_the_links_header() {
        let options = options(&end(1_500), 1_500_000, None);
        let rate = value(&options[1]);
        assert_eq!(rate, 1_514_000u64.to_ne_bytes());
        let parameters = value(&options[0]);
        assert_eq!(parameters.len(), 36);
        assert_eq!(parameters[8..12], 1_514_000u32.to_ne_bytes());
        assert_eq!(value(&options[2]), (32u32 << 10).to_ne_bytes());
    }

    #[test]
    fn a_full_packet_always_fits_the_burst() {
        let options = options(&end(65_535), 1_000, Some(1));
        assert_eq!(value(&options[2]), (65_535u32 + 14).to_ne_bytes());
    }

    #[test]
    fn the_kernels_default_is_nobodys() {
        let root = |major, kind: &str| Root {
            handle: TcHandle { major, minor: 0 },
            kind: kind.to_owned(),
        };
        assert!(root(0, "noqueue").is_default());
        assert!(root(0x504c, "tbf").is_ours());
        assert!(!root(0x504c, "htb").is_ours());
        assert!(!root(1, "tbf").is_default() && !root(1, "tbf").is_ours());
    }
}
