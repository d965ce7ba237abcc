//! The compiled programs, embedded by the build script.

/// The BPF object: `ebpf/prebuilt/plimsoll-ebpf.o`, or the one `PLIMSOLL_BPF_OBJECT` named at build time.
pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/plimsoll-ebpf.o"));
