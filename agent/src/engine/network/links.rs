//! Interfaces: bridges, veth pairs, their addresses and routes.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Mac;
use crate::netlink::Route;

/// An interface, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// What `ip link` shows as alias: our tag.
    pub(super) alias: Option<String>,
    pub(super) kind: Option<InfoKind>,
    /// The bridge it is a port of.
    pub(super) bridge: Option<u32>,
}

/// A veth pair to be made.
pub(super) struct Pair<'a> {
    /// Of both ends.
    pub(super) name: &'a str,
    /// Of the inner end.
    pub(super) mac: Mac,
    pub(super) mtu: Option<u32>,
    /// Where the inner end is to be.
    pub(super) namespace: BorrowedFd<'a>,
}

impl Route {
    pub(super) fn links(&self) -> io::Result<Vec<Link>> {
        let answers = self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(Link::from(message)),
            _ => None,
        });
        Ok(links.collect())
    }

    /// By name; `None`: there is none.
    pub(super) fn link(&self, name: &str) -> io::Result<Option<Link>> {
        match self.get(RouteNetlinkMessage::GetLink(named(name))) {
            Ok(RouteNetlinkMessage::NewLink(message)) => Ok(Some(Link::from(message))),
            Ok(_) => Ok(None),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its own address stays what it is whoever comes and goes: a bridge takes its ports' lowest otherwise.
    pub(super) fn make_bridge(&self, name: &str, mac: Mac, mtu: Option<u32>) -> io::Result<()> {
        let mut message = named(name);
        message
            .attributes
            .push(LinkAttribute::Address(mac.0.to_vec()));
        message.attributes.extend(mtu.map(LinkAttribute::Mtu));
        let kind = vec![LinkInfo::Kind(InfoKind::Bridge)];
        message.attributes.push(LinkAttribute::LinkInfo(kind));
        self.order(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    pub(super) fn make_pair(&self, pair: &Pair<'_>) -> io::Result<()> {
        let mut inside = named(pair.name);
        inside.attributes.extend([
            LinkAttribute::Address(pair.mac.0.to_vec()),
            LinkAttribute::NetNsFd(pair.namespace.as_raw_fd()),
        ]);
        inside.attributes.extend(pair.mtu.map(LinkAttribute::Mtu));
        let mut message = named(pair.name);
        message.attributes.extend(pair.mtu.map(LinkAttribute::Mtu));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside))),
        ]));
        self.order(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Tags the link, makes it a port of a bridge and brings it up.
    pub(super) fn connect(&self, name: &str, tag: &str, bridge: u32) -> io::Result<()> {
        let mut message = named(name);
        message.attributes.extend([
            LinkAttribute::IfAlias(tag.to_owned()),
            LinkAttribute::Controller(bridge),
        ]);
        raise(&mut message);
        self.order(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// What comes in by a port may leave by it: with `bridge-nf-call-iptables` a container that asks for its
    /// own published port is answered inside of the bridge.
    pub(super) fn reflect(&self, name: &str) -> io::Result<()> {
        self.set_port(name, InfoBridgePort::HairpinMode(true))
    }

    /// Nothing goes from this port to others of its kind: to the bridge itself, and so to the host, alone.
    pub(super) fn isolate(&self, name: &str) -> io::Result<()> {
        self.set_port(name, InfoBridgePort::Isolated(true))
    }

    fn set_port(&self, name: &str, data: InfoBridgePort) -> io::Result<()> {
        let mut message = named(name);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![data])),
        ]));
        // RTM_SETLINK does not look at a port's data (do_setlink(), net/core/rtnetlink.c, v6.12).
        self.order(RouteNetlinkMessage::NewLink(message), 0)
    }

    /// Tags a link.
    pub(super) fn tag(&self, name: &str, tag: &str) -> io::Result<()> {
        let mut message = named(name);
        message
            .attributes
            .push(LinkAttribute::IfAlias(tag.to_owned()));
        self.order(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// A link that is down.
    pub(super) fn rename(&self, index: u32, name: &str) -> io::Result<()> {
        let mut message = named(name);
        message.header.index = index;
        self.order(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub(super) fn bring_up(&self, name: &str) -> io::Result<()> {
        let mut message = named(name);
        raise(&mut message);
        self.order(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// `false`: there was none.
    pub(super) fn delete(&self, name: &str) -> io::Result<bool> {
        match self.order(RouteNetlinkMessage::DelLink(named(name)), 0) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An address that is used at once: nobody else can have it. One that is there already is no error.
    pub(super) fn add_address(&self, link: u32, address: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        message.header.scope = AddressScope::Universe;
        message.header.index = link;
        message.attributes.extend([
            AddressAttribute::Address(address.addr()),
            AddressAttribute::Local(address.addr()),
        ]);
        message.attributes.push(match address {
            IpNet::V4(v4) => AddressAttribute::Broadcast(v4.broadcast()),
            IpNet::V6(_) => AddressAttribute::Flags(AddressFlags::Nodad),
        });
        let order = RouteNetlinkMessage::NewAddress(message);
        match self.order(order, NLM_F_CREATE | NLM_F_EXCL) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// `false`: somebody else's default route is there.
    pub(super) fn add_default_route(&self, gateway: IpAddr) -> io::Result<bool> {
        let order = default_route(gateway);
        match self.order(order, NLM_F_CREATE | NLM_F_EXCL) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// In place of the one that is there, if there is one.
    pub(super) fn replace_default_route(&self, gateway: IpAddr) -> io::Result<()> {
        self.order(default_route(gateway), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Where the host's routes lead, but for the default ones.
    pub(super) fn destinations(&self) -> io::Result<Vec<IpNet>> {
        let mut question = RouteMessage::default();
        question.header.address_family = AddressFamily::Inet;
        let answers = self.dump(RouteNetlinkMessage::GetRoute(question))?;
        let destination = |answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => destination(&route),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(destination).collect())
    }
}

fn default_route(gateway: IpAddr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message
        .attributes
        .push(RouteAttribute::Gateway(RouteAddress::from(gateway)));
    RouteNetlinkMessage::NewRoute(message)
}

fn destination(route: &RouteMessage) -> Option<IpNet> {
    let address = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
            RouteAttribute::Destination(RouteAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
            _ => None,
        })?;
    let unicast = route.header.kind == RouteType::Unicast;
    let prefix = route.header.destination_prefix_length;
    if !unicast || prefix == 0 {
        return None;
    }
    IpNet::new(address, prefix).ok()
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn raise(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            ..Self::default()
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::Controller(bridge) => link.bridge = Some(bridge),
                LinkAttribute::LinkInfo(infos) => {
                    link.kind = infos.into_iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        link
    }
}
