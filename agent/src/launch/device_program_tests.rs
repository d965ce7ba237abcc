//! The program against the rules, by an interpreter of the few operations it is made of.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::launch::spec::{Exception, MKNOD, READ, WRITE};

/// What the program returns for a device.
fn run(program: &[Instruction], kind: u32, major: u32, minor: u32, access: u32) -> u64 {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0_u64; 11];
    let mut next = 0_usize;
    loop {
        let now = program[next];
        let (to, from) = (
            usize::from(now.registers & 15),
            usize::from(now.registers >> 4),
        );
        let immediate = i64::from(now.immediate) as u64;
        next += 1;
        let jump = match now.code {
            LOAD_WORD => {
                assert_eq!(from, usize::from(CONTEXT));
                registers[to] = u64::from(context[usize::try_from(now.offset).unwrap() / 4]);
                false
            }
            MOVE_64 => {
                registers[to] = immediate;
                false
            }
            MOVE_REGISTER_64 => {
                registers[to] = registers[from];
                false
            }
            AND_32 => {
                registers[to] &= u64::from(now.immediate as u32);
                false
            }
            SHIFT_RIGHT_32 => {
                registers[to] = u64::from(registers[to] as u32 >> now.immediate);
                false
            }
            JUMP_IF_NOT_EQUAL => registers[to] != immediate,
            JUMP_IF_EQUAL => registers[to] == immediate,
            JUMP_IF_NOT_EQUAL_REGISTER => registers[to] != registers[from],
            EXIT => return registers[usize::from(RESULT)],
            other => panic!("operation {other:#x}"),
        };
        if jump {
            next += usize::try_from(now.offset).unwrap();
        }
    }
}

/// security/device_cgroup.c `devcgroup_legacy_check_permission()`, v6.12.
fn allowed(devices: &Devices, kind: u32, major: u32, minor: u32, access: u32) -> bool {
    let matches = devices.exceptions.iter().filter(|exception| {
        exception.kind == kind
            && exception.major.is_none_or(|number| number == major)
            && exception.minor.is_none_or(|number| number == minor)
    });
    if devices.allow_by_default {
        !matches
            .into_iter()
            .any(|exception| exception.access & access != 0)
    } else {
        matches
            .into_iter()
            .any(|exception| access & !exception.access == 0)
    }
}

fn exception() -> impl Strategy<Value = Exception> {
    let number = || proptest::option::of(0_u32..3);
    (1_u32..3, number(), number(), 1_u32..8).prop_map(|(kind, major, minor, access)| Exception {
        kind,
        major,
        minor,
        access,
    })
}

proptest! {
    #[test]
    fn the_program_says_what_the_rules_say(
        allow_by_default: bool,
        exceptions in proptest::collection::vec(exception(), 0..6),
        kind in 1_u32..3, major in 0_u32..4, minor in 0_u32..4, access in 1_u32..8,
    ) {
        let devices = Devices { allow_by_default, exceptions };
        let program = assemble(&devices);
        let verdict = run(&program, kind, major, minor, access);
        prop_assert_eq!(verdict == 1, allowed(&devices, kind, major, minor, access));
    }
}

#[test]
fn a_container_may_make_nodes_and_not_use_them() {
    let deny: Vec<_> = serde_json::from_str(r#"[{"allow":false,"access":"rwm"}]"#).unwrap();
    let program = assemble(&Devices::evaluate(&deny));
    let (block, character) = (1, 2);
    assert_eq!(run(&program, block, 8, 0, MKNOD), 1);
    assert_eq!(run(&program, block, 8, 0, READ), 0);
    assert_eq!(run(&program, block, 8, 0, READ | WRITE), 0);
    assert_eq!(run(&program, character, 1, 3, READ | WRITE), 1, "null");
    assert_eq!(
        run(&program, character, 136, 7, READ | WRITE),
        1,
        "a terminal"
    );
    assert_eq!(run(&program, character, 1, 1, READ), 0, "mem");
}
