//! The BPF programs that hold rules on single cgroups.
//!
//! One file per thing that is held; each file's doc tells its hooks, what it writes, what it costs
//! and what it cannot see. The agent loads the programs and maps anew for each cgroup, so a map's
//! one entry is the cgroup's, whichever cgroup below it a socket or task is in.
#![no_std]
#![no_main]
// Programs need a compiler with `-Zbuild-std` anyway.
#![feature(asm_experimental_arch)]

mod address;
mod connection;
mod count;
mod device;
mod egress;
mod flow;
mod ingress;
mod pacing;
mod packet;
mod port;
mod share;
mod sockets;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // The verifier proves every bound that would panic; nothing reaches this.
    loop {}
}

/// The socket helpers that the walk uses are only there for programs under a GPL-compatible
/// licence; the sources are under `Apache-2.0 OR MIT` and, as loaded, also under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
