//! Device rules on cgroup v2: a small program that the kernel asks for each device opened or made.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::spec::Devices;

/// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_ATTACH: u32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Programs of cgroups above and below all have to agree.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// Operations: class, source and code in one byte.
const LOAD_WORD: u8 = 0x61;
const MOVE_64: u8 = 0xb7;
const MOVE_REGISTER_64: u8 = 0xbf;
const AND_32: u8 = 0x54;
const SHIFT_RIGHT_32: u8 = 0x74;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const JUMP_IF_NOT_EQUAL_REGISTER: u8 = 0x5d;
const JUMP_IF_EQUAL: u8 = 0x15;
const EXIT: u8 = 0x95;

/// Registers: the result, the context, and where the context's fields are kept.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const MASKED: u8 = 6;

/// `struct bpf_insn`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high one.
    registers: u8,
    offset: i16,
    immediate: i32,
}
const _: () = assert!(size_of::<Instruction>() == 8);

/// `union bpf_attr` of `BPF_PROG_LOAD`, as far as it is filled.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}
const _: () = assert!(size_of::<LoadAttributes>() == 48);

/// `union bpf_attr` of `BPF_PROG_ATTACH`, as far as it is filled.
#[repr(C)]
struct AttachAttributes {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}
const _: () = assert!(size_of::<AttachAttributes>() == 16);

/// Makes the devices the only ones that processes of the cgroup can use. It holds until the cgroup is
/// removed.
pub(super) fn attach(devices: &Devices, cgroup: &Path) -> io::Result<()> {
    if devices.allow_all() {
        return Ok(());
    }
    let directory = File::open(cgroup)?;
    let program = load(&assemble(devices))?;
    let attributes = AttachAttributes {
        target: descriptor(&directory),
        program: descriptor(&program),
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    bpf(BPF_PROG_ATTACH, &attributes).map(drop)
}

fn descriptor(file: &impl AsRawFd) -> u32 {
    // Open descriptors are not negative.
    u32::try_from(file.as_raw_fd()).unwrap_or(u32::MAX)
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let license = c"Apache-2.0";
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let descriptor = bpf(BPF_PROG_LOAD, &attributes)?;
    // SAFETY: the kernel just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn bpf<T>(command: u32, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are those of the command, with their size, and what they point to
    // outlives the call; the kernel reads them and writes nothing.
    let result = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    let registers = to | (from << 4);
    Instruction {
        code,
        registers,
        offset,
        immediate,
    }
}

/// Returns 1 for a device that may be used. With a default of "deny", an exception has to cover all
/// that is asked for; with "allow", one bit of it is enough to deny.
fn assemble(devices: &Devices) -> Vec<Instruction> {
    // struct bpf_cgroup_dev_ctx { access << 16 | kind; major; minor }
    let mut program = vec![
        instruction(LOAD_WORD, KIND, CONTEXT, 0, 0),
        instruction(MOVE_REGISTER_64, ACCESS, KIND, 0, 0),
        instruction(AND_32, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT_32, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for exception in &devices.exceptions {
        let mut tests = vec![(KIND, exception.kind)];
        tests.extend(exception.major.map(|major| (MAJOR, major)));
        tests.extend(exception.minor.map(|minor| (MINOR, minor)));
        // From each test to the end of this exception: the tests after it, then five.
        let mut left = i16::try_from(tests.len()).unwrap_or(0) + 4;
        for (register, value) in tests {
            let value = i32::from_ne_bytes(value.to_ne_bytes());
            program.push(instruction(JUMP_IF_NOT_EQUAL, register, 0, left, value));
            left -= 1;
        }
        let access = i32::from_ne_bytes(exception.access.to_ne_bytes());
        program.push(instruction(MOVE_REGISTER_64, MASKED, ACCESS, 0, 0));
        program.push(instruction(AND_32, MASKED, 0, 0, access));
        program.push(if devices.allow_by_default {
            instruction(JUMP_IF_EQUAL, MASKED, 0, 2, 0)
        } else {
            instruction(JUMP_IF_NOT_EQUAL_REGISTER, MASKED, ACCESS, 2, 0)
        });
        let verdict = i32::from(!devices.allow_by_default);
        program.push(instruction(MOVE_64, RESULT, 0, 0, verdict));
        program.push(instruction(EXIT, 0, 0, 0, 0));
    }
    let verdict = i32::from(devices.allow_by_default);
    program.push(instruction(MOVE_64, RESULT, 0, 0, verdict));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    program
}

#[cfg(test)]
#[path = "device_program_tests.rs"]
mod tests;
