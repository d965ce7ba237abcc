//! Flows that the kernel goes on translating as it once began to, whatever the rules say now. An asker who keeps its
//! port, as DNS forwarders and log senders do over UDP, would never reach a container that is made anew.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::Protocol;

/// `NFNL_SUBSYS_CTNETLINK` and `IPCTNL_MSG_CT_DELETE`.
const DELETE: u16 = (1 << 8) | 2;
/// Attributes: `include/uapi/linux/netfilter/nfnetlink_conntrack.h`, v6.12.
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_FILTER: u16 = 25;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
/// What of a tuple has to fit: `net/netfilter/nf_internals.h`, since v5.8.
const BY_SOURCE: u32 = 1 << 0;
const BY_PROTOCOL: u32 = 1 << 3;
const BY_PORT: u32 = 1 << 5;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;
const HEADER: usize = 16;

/// Forgets every flow that somebody at an address answers.
pub(super) fn forget_address(address: IpAddr) -> io::Result<()> {
    let source = match address {
        IpAddr::V4(v4) => attribute(CTA_IP_V4_SRC, &v4.octets()),
        IpAddr::V6(v6) => attribute(CTA_IP_V6_SRC, &v6.octets()),
    };
    let tuple = attribute(
        CTA_TUPLE_REPLY | NESTED,
        &attribute(CTA_TUPLE_IP | NESTED, &source),
    );
    delete(address.is_ipv6(), &tuple, [0, BY_SOURCE])
}

/// Forgets every flow that somebody began to a port.
pub(super) fn forget_port(protocol: Protocol, port: u16, ipv6: bool) -> io::Result<()> {
    let number = match protocol {
        Protocol::Tcp => nix::libc::IPPROTO_TCP,
        Protocol::Udp => nix::libc::IPPROTO_UDP,
        Protocol::Sctp => nix::libc::IPPROTO_SCTP,
    };
    let number = u8::try_from(number).map_err(io::Error::other)?;
    let mut inner = attribute(CTA_PROTO_NUM, &[number]);
    inner.extend(attribute(CTA_PROTO_DST_PORT, &port.to_be_bytes()));
    let tuple = attribute(
        CTA_TUPLE_ORIG | NESTED,
        &attribute(CTA_TUPLE_PROTO | NESTED, &inner),
    );
    delete(ipv6, &tuple, [BY_PROTOCOL | BY_PORT, 0])
}

/// `flags`: what has to fit of the tuple of the way there, and of that back.
fn delete(ipv6: bool, tuple: &[u8], flags: [u32; 2]) -> io::Result<()> {
    let family = if ipv6 {
        nix::libc::AF_INET6
    } else {
        nix::libc::AF_INET
    };
    // struct nfgenmsg: family, version, resource.
    let mut body = vec![u8::try_from(family).map_err(io::Error::other)?, 0, 0, 0];
    body.extend_from_slice(tuple);
    let mut filter = attribute(CTA_FILTER_ORIG_FLAGS, &flags[0].to_ne_bytes());
    filter.extend(attribute(CTA_FILTER_REPLY_FLAGS, &flags[1].to_ne_bytes()));
    body.extend(attribute(CTA_FILTER | NESTED, &filter));

    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(DELETE.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);

    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&message, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    // An acknowledgement is an error of code 0.
    let code = answer
        .get(HEADER..HEADER + 4)
        .and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        // ENOENT: no flow fits.
        Some(0) => Ok(()),
        Some(code) if code == -nix::libc::ENOENT => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Its length, without what fills it up to four bytes, its type and its value.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    // None here is longer than some dozens of bytes.
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_filled_up_to_four_bytes() {
        let expected = [
            &5_u16.to_ne_bytes()[..],
            &1_u16.to_ne_bytes(),
            &[17, 0, 0, 0],
        ]
        .concat();
        assert_eq!(attribute(CTA_PROTO_NUM, &[17]), expected);
    }
}
