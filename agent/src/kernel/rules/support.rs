//! What of it this kernel can do.

use aya::Btf;
use plimsoll_abi::rules as abi;

use super::super::layout;
use super::load::{self, in_one_line};
use super::part::Part;
use super::sockets::Walker;

/// A kind of rule, or a part of it, and why this kernel does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSupport {
    /// In words: `egress rate`.
    pub feature: &'static str,
    pub missing: Option<String>,
}

/// Loads every program, attaches none. Costs some tenths of a second.
#[must_use]
pub fn rule_support() -> Vec<RuleSupport> {
    let parts = Part::ALL.map(|part| RuleSupport {
        feature: part.name(),
        missing: load::object(&Vec::new(), &[])
            .and_then(|mut object| load::programs(&mut object, part))
            .err()
            .map(|error| in_one_line(&error)),
    });
    let mut support = parts.to_vec();
    support.push(RuleSupport {
        feature: "pacing of connections that were there before",
        missing: walker().err(),
    });
    support
}

fn walker() -> Result<(), String> {
    let offsets = layout::offsets(abi::OFFSETS).map_err(|error| in_one_line(&error))?;
    let btf = Btf::from_sys_fs().map_err(|error| in_one_line(&error))?;
    let walker = load::object(&offsets, &[]).and_then(|object| Walker::new(object, &btf));
    walker.map(drop).map_err(|error| in_one_line(&error))
}
