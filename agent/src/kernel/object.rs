//! The compiled programs, embedded by the build script: those in `ebpf/prebuilt`, or in the folder
//! that `PLIMSOLL_BPF_OBJECTS` named at build time.

/// What sees: the probes.
pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/plimsoll-ebpf.o"));

/// What holds rules on single cgroups.
pub(super) static RULES: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/plimsoll-rules.o"));
