//! Conditions on masked arguments, the way `libcontainer` takes them.
//!
//! The specification has the mask first and the value second. `libcontainer` 0.7.0 hands them to
//! libseccomp the other way round (seccomp/mod.rs `translate_op()`): the condition of Docker's default
//! profile, that no namespace flag of `clone` is set, comes out as one that is always met. It is only asked where
//! somebody is to be notified.

use libcontainer::oci_spec::runtime::{LinuxSeccomp, LinuxSeccompArgBuilder, LinuxSeccompOperator};

/// Exchanges mask and value; twice is as before.
pub(in crate::launch) fn swap_masks(seccomp: &mut LinuxSeccomp) {
    let Some(mut rules) = seccomp.syscalls().clone() else {
        return;
    };
    for rule in &mut rules {
        let Some(mut arguments) = rule.args().clone() else {
            continue;
        };
        for argument in &mut arguments {
            if argument.op() != LinuxSeccompOperator::ScmpCmpMaskedEq {
                continue;
            }
            let swapped = LinuxSeccompArgBuilder::default()
                .index(argument.index())
                .op(argument.op())
                .value(argument.value_two().unwrap_or(0))
                .value_two(argument.value())
                .build();
            // All four that it takes are given.
            if let Ok(swapped) = swapped {
                *argument = swapped;
            }
        }
        rule.set_args(Some(arguments));
    }
    seccomp.set_syscalls(Some(rules));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_masks_change_places() {
        let mut seccomp: LinuxSeccomp = serde_json::from_str(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
                {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [
                    {"index": 0, "value": 12, "op": "SCMP_CMP_MASKED_EQ"},
                    {"index": 1, "value": 3, "valueTwo": 4, "op": "SCMP_CMP_EQ"}]},
                {"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#,
        )
        .unwrap();
        swap_masks(&mut seccomp);
        let rules = seccomp.syscalls().as_ref().unwrap();
        let arguments = rules[0].args().as_ref().unwrap();
        let values = |at: usize| (arguments[at].value(), arguments[at].value_two());
        assert_eq!(values(0), (0, Some(12)));
        assert_eq!(values(1), (3, Some(4)));
        assert_eq!(rules[1].args(), &None);
    }
}
