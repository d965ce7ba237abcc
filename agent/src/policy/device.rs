//! Device rules as text: `allow c 1:3 rwm`.

use crate::cgroup::DeviceNumber;
use crate::kernel::{DeviceKind, DeviceRule};

/// A text that is no device rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a rule such as `allow c 1:3 rwm` or `deny a *:* rwm` (a, b or c: all, block, char; \
     numbers or `*`; some of r, w, m), not `{0}`"
)]
pub struct DeviceRuleError(String);

/// One rule, in the words of the OCI specification and of v1's `devices.allow`.
///
/// # Errors
/// Not such a rule.
pub fn parse_device_rule(text: &str) -> Result<DeviceRule, DeviceRuleError> {
    read(text).ok_or_else(|| DeviceRuleError(text.to_owned()))
}

/// As it is written in the file.
#[must_use]
pub fn shown_device_rule(rule: &DeviceRule) -> String {
    let action = if rule.allow { "allow" } else { "deny" };
    let kind = match rule.kind {
        DeviceKind::All => 'a',
        DeviceKind::Block => 'b',
        DeviceKind::Char => 'c',
    };
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
    let (major, minor) = (number(rule.major), number(rule.minor));
    format!("{action} {kind} {major}:{minor} {}", rule.access)
}

/// `8:0`. `None`: not a device number.
pub(super) fn parse_number(text: &str) -> Option<DeviceNumber> {
    let (major, minor) = text.split_once(':')?;
    Some(DeviceNumber {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

fn read(text: &str) -> Option<DeviceRule> {
    let mut words = text.split_whitespace();
    let (action, kind) = (words.next()?, words.next()?);
    let (number, access) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let (major, minor) = number.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let once = |c: char| "rwm".contains(c) && access.matches(c).count() == 1;
    if access.is_empty() || !access.chars().all(once) {
        return None;
    }
    Some(DeviceRule {
        allow: match action {
            "allow" => true,
            "deny" => false,
            _ => return None,
        },
        kind: match kind {
            "a" => DeviceKind::All,
            "b" => DeviceKind::Block,
            "c" => DeviceKind::Char,
            _ => return None,
        },
        major: number(major)?,
        minor: number(minor)?,
        access: access.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_are_read_and_shown() {
        for text in ["allow c 1:3 rwm", "deny a *:* rwm", "allow b 8:* r"] {
            assert_eq!(shown_device_rule(&parse_device_rule(text).unwrap()), text);
        }
        for text in [
            "",
            "allow",
            "allow c 1:3",
            "permit c 1:3 r",
            "allow x 1:3 r",
            "allow c 1 r",
            "allow c 1:3 rr",
            "allow c 1:3 x",
            "allow c -1:3 r",
            "allow c 1:3 r more",
        ] {
            assert!(parse_device_rule(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _any_answer_will_do = parse_device_rule(&text);
            let _any_answer_will_do = parse_number(&text);
        }
    }
}
