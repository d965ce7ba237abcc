//! Names between the workloads of one network: a responder at the bridge's own address.
//!
//! In: who is in which network, published at every attach and detach. Out: answers over UDP and TCP. What is no
//! container's name is asked of the host's resolvers, or of those that `--dns` gave, and passed on as it came.
//!
//! Containers ask at port 53 of the gateway; the rules lead what they send to where the responder listens.
//!
//! A container that asks is told the names of all networks it is in, and of no other: the sockets hear their own
//! bridge only. On the default network no names are known, as with Docker; the responder passes questions on there,
//! for hosts whose resolver listens on their loopback. Who is in internal networks only gets nothing from outside:
//! such names do not exist for it.

mod answer;
mod listener;
mod names;
mod serve;
mod upstream;

pub(super) use listener::PORT;
pub use names::Names;
pub(super) use names::Publisher;
pub use serve::{Upstreams, host_resolvers, serve};
pub(super) use upstream::DOMAIN;
