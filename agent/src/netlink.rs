//! Questions to and orders for the kernel's links, addresses, routes and queues, one at a time. A leaf.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// A socket in the network namespace of the thread that opens it, and there it stays: another thread
/// may use it from elsewhere.
pub(crate) struct Route(Socket);

impl Route {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// All objects of a kind.
    pub(crate) fn dump(
        &self,
        question: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(question, NLM_F_REQUEST | NLM_F_DUMP)
    }

    /// One object.
    pub(crate) fn get(&self, question: RouteNetlinkMessage) -> io::Result<RouteNetlinkMessage> {
        let answer = self.exchange(question, NLM_F_REQUEST | NLM_F_ACK)?.pop();
        answer.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// An order, which is acknowledged.
    pub(crate) fn order(&self, order: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.exchange(order, NLM_F_REQUEST | NLM_F_ACK | flags)
            .map(drop)
    }

    fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;

        let mut answers = Vec::new();
        loop {
            let (received, _) = self.0.recv_from_full()?;
            let mut rest = received.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(io::Error::other)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    // An acknowledgement is an error of code 0.
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }
}
