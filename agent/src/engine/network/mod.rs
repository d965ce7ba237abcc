//! Networks of containers: bridges, addresses, published ports, names.
//!
//! In: Docker's requests for networks, and containers' network namespaces. Out: endpoints, names for the responder,
//! and the texts of a container's `resolv.conf`, `hosts` and `hostname`. It knows no containers but by id and name.
//!
//! All is done from the calling thread's network namespace, which stands for the host: its links, its nft table
//! `inet plimsoll`, its settings. What is on disk is the truth: a record is written before the kernel is asked, so
//! that whoever comes after a killed agent knows what to take down. The table is a function of the records and is
//! replaced whole; nobody else's is touched.
//!
//! Blind spots: to accept a packet in one's own table does not keep another's chain from dropping it; `warnings`
//! names such chains. A port published to all addresses is published in IPv6 only on a network that has IPv6, and
//! never to `::1`, which the kernel does not let out of the host (IPv4 has `route_localnet` for that).

mod attach;
mod bridge;
mod claim;
mod conntrack;
mod disk;
pub mod dns;
mod error;
mod firewall;
mod former;
mod forwarding;
mod hosts;
mod let_go;
mod links;
mod mac;
mod mode;
mod model;
mod namespace;
mod networks;
mod pool;
mod port;
mod publish;
mod reap;
mod record;
mod request;
mod reservation;
mod resolv;
mod ruleset;
mod state;
mod sysctl;
mod veth;
mod way_out;

pub use error::NetworkError;
pub use hosts::{ExtraHost, hostname, hosts};
pub use mac::Mac;
pub use mode::NetworkMode;
pub use networks::Networks;
pub use port::{Protocol, Publish, Published};
pub use reap::Reaped;
pub use record::{Endpoint, Wish};
pub use resolv::{ResolvConf, Resolver};

/// The network of those who name none. Its containers have no names for each other, as with Docker.
pub const DEFAULT_NETWORK: &str = "bridge";
