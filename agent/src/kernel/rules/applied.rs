//! What came of a set of rules.

use super::error::HoldError;
use super::load::in_one_line;
use super::part::Part;

/// How each rule is held, and which are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// `None`: no rate was asked for, or it is in `refused`.
    pub egress: Option<EgressMethod>,
    pub ingress: Option<IngressMethod>,
    /// Rules for connecting and sending are in force.
    pub connect: bool,
    /// Rules for binding are in force.
    pub bind: bool,
    /// Rules that cannot be held here.
    pub refused: Vec<Refused>,
    /// What is held less well than it could be, and why.
    pub caveats: Vec<String>,
}

impl Applied {
    pub(super) fn refuse(&mut self, part: Part, error: &HoldError) {
        self.refused.push(Refused {
            rule: part.name(),
            reason: in_one_line(error),
        });
    }
}

/// How an egress rate is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressMethod {
    /// TCP is paced, socket by socket; what is not TCP loses what is over the rate.
    Pacing,
}

/// How an ingress rate is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngressMethod {
    /// By a token bucket filter on the host's end of the workload's only interface: packets wait.
    Queue { interface: String },
    /// What is over the rate is lost, by design: only so does the sender learn of it.
    Policer,
}

/// A rule that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In words: `egress rate`.
    pub rule: &'static str,
    pub reason: String,
}

/// What the programs on one cgroup let pass and what not, since they were attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounters {
    /// While an egress rate is held. Bytes from the IP header on.
    pub egress: Passage,
    /// While an ingress rate is held; what a queue drops is not seen.
    pub ingress: Passage,
    /// Calls of connect and of sendmsg that got EPERM.
    pub connect_denied: u64,
    pub bind_denied: u64,
    /// Accesses to devices that got EPERM.
    pub device_denied: u64,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    pub passed_bytes: u64,
    pub passed_packets: u64,
    pub dropped_bytes: u64,
    pub dropped_packets: u64,
}
