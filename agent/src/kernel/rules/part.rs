//! The parts that rules are made of: each is loaded, attached and cleared by itself.

use plimsoll_abi::rules::map;

/// What is held, by programs that share their maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Egress,
    Ingress,
    Addresses,
    Ports,
    Devices,
}

/// Where a program attaches, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    /// Name in the object, and the kernel's name of it: 15 bytes at the most.
    pub(super) program: &'static str,
    /// `enum bpf_attach_type` (include/uapi/linux/bpf.h, v6.12).
    pub(super) attach_type: u32,
}

const fn hook(program: &'static str, attach_type: u32) -> Hook {
    Hook {
        program,
        attach_type,
    }
}

const INGRESS: Hook = hook("hold_ingress", 0);
const EGRESS: Hook = hook("hold_egress", 1);
const SOCK_OPS: Hook = hook("hold_sock_ops", 3);
const DEVICE: Hook = hook("hold_device", 6);
const BIND4: Hook = hook("hold_bind4", 8);
const BIND6: Hook = hook("hold_bind6", 9);
const CONNECT4: Hook = hook("hold_connect4", 10);
const CONNECT6: Hook = hook("hold_connect6", 11);
const SENDMSG4: Hook = hook("hold_sendmsg4", 14);
const SENDMSG6: Hook = hook("hold_sendmsg6", 15);

impl Part {
    pub(super) const ALL: [Self; 5] = [
        Self::Egress,
        Self::Ingress,
        Self::Addresses,
        Self::Ports,
        Self::Devices,
    ];

    /// Its programs, in the order in which they are attached. A part is there when the last is.
    pub(super) const fn hooks(self) -> &'static [Hook] {
        match self {
            // New connections are paced before packets are counted.
            Self::Egress => &[SOCK_OPS, EGRESS],
            Self::Ingress => &[INGRESS],
            Self::Addresses => &[CONNECT4, CONNECT6, SENDMSG4, SENDMSG6],
            Self::Ports => &[BIND4, BIND6],
            Self::Devices => &[DEVICE],
        }
    }

    /// The map that holds its rule.
    pub(super) const fn map(self) -> &'static str {
        match self {
            Self::Egress => map::EGRESS,
            Self::Ingress => map::INGRESS,
            Self::Addresses => map::ADDRESSES,
            Self::Ports => map::PORTS,
            Self::Devices => map::DEVICES,
        }
    }

    /// In words, for reasons.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Egress => "egress rate",
            Self::Ingress => "ingress rate",
            Self::Addresses => "connect rules",
            Self::Ports => "bind rules",
            Self::Devices => "device rules",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel cuts names: what is found again by its name must fit.
    #[test]
    fn names_fit_the_kernels_fifteen_bytes() {
        for part in Part::ALL {
            assert!(part.map().len() <= 15, "{}", part.map());
            for hook in part.hooks() {
                assert!(hook.program.len() <= 15, "{}", hook.program);
            }
        }
        for name in [map::COUNTS, map::FLOWS, map::PASS, map::TREE] {
            assert!(name.len() <= 15, "{name}");
        }
    }
}
