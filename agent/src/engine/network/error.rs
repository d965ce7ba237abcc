//! What can go wrong with networks, in Docker's words where it has some.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use thiserror::Error;

/// Why a network could not be made, joined or left.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// Nothing by that name or id.
    #[error("network {0} not found")]
    NotFound(String),
    /// A prefix that fits several ids.
    #[error("network {name} is ambiguous ({matches} matches found by id prefix)")]
    Ambiguous {
        /// As asked for.
        name: String,
        /// How many ids begin like that.
        matches: usize,
    },
    /// Names are unique.
    #[error("network with name {0} already exists")]
    NameTaken(String),
    /// `bridge`, `host` and `none` are always there.
    #[error("{0} is a pre-defined network and cannot be removed")]
    Predefined(String),
    /// Containers are attached.
    #[error("network {network} has active endpoints ({endpoints})")]
    InUse {
        /// The network's name.
        network: String,
        /// Who is attached.
        endpoints: String,
    },
    /// A container is in a network once.
    #[error("endpoint with name {container} already exists in network {network}")]
    AlreadyAttached {
        /// The container's name.
        container: String,
        /// The network's name.
        network: String,
    },
    /// What was asked for makes no sense, or is not offered.
    #[error("invalid network config: {0}")]
    Config(String),
    /// A requested subnet.
    #[error("Pool overlaps with other one on this address space: {subnet} with network {network}")]
    Overlap {
        /// As asked for.
        subnet: ipnet::IpNet,
        /// Who has it.
        network: String,
    },
    /// Two engines would each take the other's for leftovers.
    #[error("another agent has networks in this network namespace")]
    Claimed,
    /// Neither taken nor found taken.
    #[error("cannot find out whether another agent has networks here")]
    Claim(#[source] io::Error),
    /// Every default pool is used by another network or by a route of the host's.
    #[error("all predefined address pools have been fully subnetted")]
    PoolsExhausted,
    /// All addresses of a network are given away.
    #[error("no available addresses in {pool} of network {network}")]
    AddressesExhausted {
        /// The network's name.
        network: String,
        /// What addresses are taken from.
        pool: ipnet::IpNet,
    },
    /// Another container, or the gateway, has it.
    #[error("Address already in use: {0}")]
    AddressTaken(IpAddr),
    /// Outside of the network's subnets.
    #[error("no configured subnet of network {network} contains IP address {address}")]
    AddressOutside {
        /// The network's name.
        network: String,
        /// As asked for.
        address: IpAddr,
    },
    /// A port that another container or another process has.
    #[error("Bind for {0} failed: port is already allocated")]
    PortAllocated(SocketAddr),
    /// An address that is not this host's, mostly.
    #[error("Bind for {address} failed")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// `-p` in a form that is not understood.
    #[error("invalid port specification {0:?}: {1}")]
    PortSyntax(String, &'static str),
    /// The kernel's links and addresses. On EPERM the capability is missing, on EOPNOTSUPP the module.
    #[error("cannot {what} {subject}{}", hint(source))]
    Link {
        /// The order.
        what: &'static str,
        /// To which interface or network.
        subject: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The container's network namespace.
    #[error("cannot enter network namespace {path}")]
    Namespace {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The program is not installed.
    #[error(
        "nft is not installed (Debian's package nftables); networks other than none and host need it"
    )]
    NftMissing,
    /// The program could not be run.
    #[error("cannot run nft")]
    NftRun(#[source] io::Error),
    /// The program, or the kernel through it, refused.
    #[error("nft refuses the rules of table inet plimsoll: {0}")]
    NftRefused(String),
    /// A kernel setting of the host's or of a bridge's.
    #[error("cannot set {path} to {value}")]
    Sysctl {
        /// Which file.
        path: PathBuf,
        /// To what.
        value: String,
        /// Why not.
        source: io::Error,
    },
    /// What is kept on disk.
    #[error("cannot keep the state of networks in {path}")]
    State {
        /// File or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What an operator has to look for.
fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(nix::libc::EPERM) => " (CAP_NET_ADMIN is needed in the host's network namespace)",
        Some(nix::libc::EOPNOTSUPP) => {
            " (the kernel lacks it: CONFIG_BRIDGE and CONFIG_VETH, or the modules bridge and veth)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_lacks_is_named() {
        let refused = |code| NetworkError::Link {
            what: "make bridge",
            subject: "plimsoll0".into(),
            source: io::Error::from_raw_os_error(code),
        };
        assert!(
            refused(nix::libc::EPERM)
                .to_string()
                .contains("CAP_NET_ADMIN")
        );
        assert!(
            refused(nix::libc::EOPNOTSUPP)
                .to_string()
                .contains("CONFIG_BRIDGE")
        );
        assert_eq!(
            refused(nix::libc::EINVAL).to_string(),
            "cannot make bridge plimsoll0"
        );
    }

    #[test]
    fn a_taken_port_is_told_in_dockers_words() {
        let error = NetworkError::PortAllocated("0.0.0.0:8080".parse().unwrap());
        let words = "Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(error.to_string(), words);
    }
}
