//! The host's end of a workload's only interface.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use nix::sched::{CloneFlags, setns};

use super::sockets::namespaces;
use super::target::Target;
use crate::netlink::Route;

/// An interface of the agent's network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostEnd {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mtu: u32,
}

/// As the kernel describes an interface, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Link {
    index: u32,
    name: String,
    mtu: u32,
    up: bool,
    loopback: bool,
    veth: bool,
    /// The other end's index, and the id of its namespace as seen from this one.
    peer: Option<u32>,
    peer_namespace: Option<i32>,
}

/// Finds the interface through which all of the cgroup's traffic goes, and nobody else's. The
/// error says in words why there is none.
pub(super) fn host_end(target: &Target) -> Result<HostEnd, String> {
    let in_words = |error: io::Error| error.to_string();
    let mut namespaces = namespaces(target);
    let (Some(namespace), true) = (namespaces.pop(), namespaces.is_empty()) else {
        return Err("its processes are not in one network namespace".to_owned());
    };
    let number = |of: io::Result<fs::Metadata>| of.map(|of| of.ino()).map_err(in_words);
    let inode = number(namespace.metadata())?;
    if number(fs::metadata("/proc/thread-self/ns/net"))? == inode {
        return Err("it is in the host's network namespace".to_owned());
    }
    if shared(target, inode) {
        return Err("processes outside of the cgroup are in its network namespace".to_owned());
    }
    let inside: Vec<_> = links_in(&namespace)
        .map_err(in_words)?
        .into_iter()
        .filter(|link| link.up && !link.loopback)
        .collect();
    let [link] = inside.as_slice() else {
        return Err(format!("it has {} interfaces, not one", inside.len()));
    };
    let (Some(peer), true) = (link.peer, link.veth) else {
        return Err(format!("its interface {} is no veth", link.name));
    };
    let route = Route::open().map_err(in_words)?;
    // Listing the links makes the kernel name the namespaces of their other ends.
    let outside = links(&route).map_err(in_words)?;
    let known_as = namespace_id(&route, &namespace).map_err(in_words)?;
    outside
        .into_iter()
        .find(|other| {
            other.index == peer
                && other.veth
                && other.peer == Some(link.index)
                && known_as.is_some()
                && other.peer_namespace == known_as
        })
        .map(|end| HostEnd {
            index: end.index,
            name: end.name,
            mtu: end.mtu,
        })
        .ok_or_else(|| "the other end of its veth is not in the host's namespace".to_owned())
}

/// Whether a process that is not the cgroup's is in the namespace.
fn shared(target: &Target, inode: u64) -> bool {
    let own: BTreeSet<u32> = target.processes().into_iter().collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| !own.contains(process))
        .any(|process| {
            let namespace = fs::metadata(format!("/proc/{process}/ns/net"));
            namespace.is_ok_and(|of| of.ino() == inode)
        })
}

/// A short-lived thread enters the namespace and asks there.
fn links_in(namespace: &File) -> io::Result<Vec<Link>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("links".into())
            .spawn_scoped(scope, || {
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                links(&Route::open()?)
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}

fn links(route: &Route) -> io::Result<Vec<Link>> {
    let answers = route.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let links = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(message) => Some(Link::from(message)),
        _ => None,
    });
    Ok(links.collect())
}

/// What this namespace calls another; `None`: it has no name for it.
fn namespace_id(route: &Route, namespace: &File) -> io::Result<Option<i32>> {
    let mut question = NsidMessage::default();
    let descriptor = namespace.as_raw_fd().cast_unsigned();
    question.attributes.push(NsidAttribute::Fd(descriptor));
    let answer = route.get(RouteNetlinkMessage::GetNsId(question))?;
    let RouteNetlinkMessage::NewNsId(answer) = answer else {
        return Ok(None);
    };
    Ok(answer
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NsidAttribute::Id(id) if *id >= 0 => Some(*id),
            _ => None,
        }))
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            up: flags.contains(LinkFlags::Up),
            loopback: flags.contains(LinkFlags::Loopback),
            ..Self::default()
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Link(peer) => link.peer = Some(peer),
                LinkAttribute::LinkNetNsId(id) => link.peer_namespace = Some(id),
                LinkAttribute::LinkInfo(infos) => {
                    let veth = LinkInfo::Kind(InfoKind::Veth);
                    link.veth = infos.contains(&veth);
                }
                _ => {}
            }
        }
        link
    }
}
