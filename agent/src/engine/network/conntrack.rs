//! Flows that the kernel goes on translating as it once began to, whatever the rules say now. An asker who keeps its
//! port, as DNS forwarders and log senders do over UDP, would never reach a container that is made anew.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::Protocol;

/// `NFNL_SUBSYS_CTNETLINK` with `IPCTNL_MSG_CT_NEW`, `_GET` and `_DELETE`.
const NEW: u16 = 1 << 8;
const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
/// Attributes: `include/uapi/linux/netfilter/nfnetlink_conntrack.h`, v6.12.
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
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
/// Of `struct nfgenmsg`.
const FAMILY: usize = 4;

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

    match order(&body) {
        // An older kernel (6.1, not 6.18) takes whole tuples alone: those of the flows that fit.
        Err(error) if error.raw_os_error() == Some(nix::libc::EINVAL) => {
            flows(&body)?.iter().try_for_each(|flow| order(flow))
        }
        done => done,
    }
}

fn order(body: &[u8]) -> io::Result<()> {
    let socket = ask(DELETE, NLM_F_ACK, body)?;
    let (answer, _) = socket.recv_from_full()?;
    match code(answer.get(HEADER..).unwrap_or_default())? {
        // An acknowledgement is an error of code 0. ENOENT: no flow fits.
        0 => Ok(()),
        code if code == -nix::libc::ENOENT => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    }
}

/// What to delete each of the flows by that fit.
fn flows(body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let socket = ask(GET, NLM_F_DUMP, body)?;
    let mut found = Vec::new();
    loop {
        let (answer, _) = socket.recv_from_full()?;
        if read_flows(&answer, &mut found)? {
            return Ok(found);
        }
    }
}

/// `true`: that was the last of them.
fn read_flows(answer: &[u8], found: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    let mut rest = answer;
    while let Some((length, kind)) = head(rest, 4) {
        let message = rest.get(HEADER..length).unwrap_or_default();
        match kind {
            NEW => found.push(whole(message)),
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = code(message)?;
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Of a flow that was told of, what names it.
fn whole(flow: &[u8]) -> Vec<u8> {
    let (family, mut rest) = flow.split_at(FAMILY.min(flow.len()));
    let mut name = family.to_vec();
    while let Some((length, kind)) = head(rest, 2) {
        let end = length.next_multiple_of(4).min(rest.len());
        let (attribute, after) = rest.split_at(end);
        if matches!(kind & !NESTED, CTA_TUPLE_ORIG | CTA_ZONE | CTA_ID) {
            name.extend_from_slice(attribute);
        }
        rest = after;
    }
    name
}

/// Length and type of what comes first, whose length is a number of so many bytes; `None`: nothing whole.
fn head(bytes: &[u8], width: usize) -> Option<(usize, u16)> {
    let length = match *bytes.get(..width)? {
        [a, b] => u32::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        _ => return None,
    };
    let length = usize::try_from(length).ok()?;
    let kind = bytes.get(width..width + 2)?.try_into().ok()?;
    (length >= width + 2 && length <= bytes.len()).then_some((length, u16::from_ne_bytes(kind)))
}

fn code(error: &[u8]) -> io::Result<i32> {
    let code = error.get(..4).and_then(|code| code.try_into().ok());
    code.map(i32::from_ne_bytes)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn ask(kind: u16, flags: u16, body: &[u8]) -> io::Result<Socket> {
    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&message, 0)?;
    Ok(socket)
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
#[allow(clippy::unwrap_used)]
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

    #[test]
    fn flows_are_named_by_what_was_told_of_them() {
        let told = |kind: u16, body: &[u8]| {
            let length = u32::try_from(HEADER + body.len()).unwrap();
            let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes()].concat();
            [&head[..], &[0; 10], body].concat()
        };
        let tuple = attribute(
            CTA_TUPLE_ORIG | NESTED,
            &attribute(CTA_TUPLE_IP, &[1, 2, 3]),
        );
        let id = attribute(CTA_ID, &[0, 0, 0, 7]);
        let family = [2, 0, 0, 0];
        let reply = attribute(CTA_TUPLE_REPLY | NESTED, &[9; 5]);
        let flow = [&family[..], &tuple, &reply, &id].concat();
        let mut found = Vec::new();
        let more = [told(NEW, &flow), told(NEW, &flow)].concat();
        assert!(!read_flows(&more, &mut found).unwrap());
        assert!(read_flows(&told(NLMSG_DONE, &[0; 4]), &mut found).unwrap());
        let name = [&family[..], &tuple, &id].concat();
        assert_eq!(found, [name.clone(), name]);
        let refused = told(NLMSG_ERROR, &(-nix::libc::EPERM).to_ne_bytes());
        let error = read_flows(&refused, &mut found).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::EPERM));
        assert!(!read_flows(&[5, 0, 0, 0, 9], &mut found).unwrap());
    }
}
