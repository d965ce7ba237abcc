//! Networks of containers, each test on a host of its own: a network namespace that stands for it. The oracles are
//! `ip`, `nft`, the C library's resolver and what goes through sockets.
#![allow(clippy::unwrap_used)]

mod hindered;
mod kills;
mod names;
mod network_ipv6;
mod ports;
mod remains;
mod separation;
mod world;
