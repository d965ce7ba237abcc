//! The BPF programs of Plimsoll.
//!
//! One file per kernel subsystem under `probes`; each file's doc tells its hooks, what it writes,
//! what it costs and what it cannot see. Records and map types are in the `plimsoll-abi` crate.
#![no_std]
#![no_main]
// Programs need a compiler with `-Zbuild-std` anyway.
#![feature(asm_experimental_arch)]

mod kernel;
mod layout;
mod maps;
mod probes;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // The verifier proves every bound that would panic; nothing reaches this.
    loop {}
}

/// Helpers such as `bpf_probe_read_kernel` are only there for programs under a GPL-compatible
/// licence; the sources are under `Apache-2.0 OR MIT` and, as loaded, also under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
