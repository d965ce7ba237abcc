//! What conditions can ask of a workload.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A figure of one workload, descendants included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Metric {
    #[serde(rename = "memory.usage")]
    MemoryUsage,
    #[serde(rename = "memory.working_set")]
    MemoryWorkingSet,
    #[serde(rename = "memory.anon")]
    MemoryAnon,
    #[serde(rename = "memory.swap")]
    MemorySwap,
    #[serde(rename = "cpu.usage")]
    CpuUsage,
    #[serde(rename = "cpu.throttled_ratio")]
    CpuThrottledRatio,
    #[serde(rename = "pids.current")]
    PidsCurrent,
    #[serde(rename = "io.read_bytes")]
    IoReadBytes,
    #[serde(rename = "io.write_bytes")]
    IoWriteBytes,
    #[serde(rename = "io.reads")]
    IoReads,
    #[serde(rename = "io.writes")]
    IoWrites,
    #[serde(rename = "net.egress")]
    NetEgress,
    #[serde(rename = "net.ingress")]
    NetIngress,
}

/// What a metric, or a threshold of it, is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Bytes,
    /// CPUs' worth of time: 1.5 is one and a half.
    Cores,
    /// 0 to 100.
    Percent,
    Count,
    BytesPerSecond,
    OperationsPerSecond,
    BitsPerSecond,
}

impl Unit {
    /// Of the growth of what is counted in this.
    #[must_use]
    pub const fn per_second(self) -> Self {
        match self {
            Self::Bytes | Self::BytesPerSecond => Self::BytesPerSecond,
            Self::BitsPerSecond => Self::BitsPerSecond,
            Self::Cores | Self::Percent | Self::Count | Self::OperationsPerSecond => {
                Self::OperationsPerSecond
            }
        }
    }
}

impl Metric {
    /// Every one, as documented.
    pub const ALL: [Self; 13] = [
        Self::MemoryUsage,
        Self::MemoryWorkingSet,
        Self::MemoryAnon,
        Self::MemorySwap,
        Self::CpuUsage,
        Self::CpuThrottledRatio,
        Self::PidsCurrent,
        Self::IoReadBytes,
        Self::IoWriteBytes,
        Self::IoReads,
        Self::IoWrites,
        Self::NetEgress,
        Self::NetIngress,
    ];

    /// As in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemoryUsage => "memory.usage",
            Self::MemoryWorkingSet => "memory.working_set",
            Self::MemoryAnon => "memory.anon",
            Self::MemorySwap => "memory.swap",
            Self::CpuUsage => "cpu.usage",
            Self::CpuThrottledRatio => "cpu.throttled_ratio",
            Self::PidsCurrent => "pids.current",
            Self::IoReadBytes => "io.read_bytes",
            Self::IoWriteBytes => "io.write_bytes",
            Self::IoReads => "io.reads",
            Self::IoWrites => "io.writes",
            Self::NetEgress => "net.egress",
            Self::NetIngress => "net.ingress",
        }
    }

    /// Its unit, and that of the thresholds it is held against.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::MemoryUsage | Self::MemoryWorkingSet | Self::MemoryAnon | Self::MemorySwap => {
                Unit::Bytes
            }
            Self::CpuUsage => Unit::Cores,
            Self::CpuThrottledRatio => Unit::Percent,
            Self::PidsCurrent => Unit::Count,
            Self::IoReadBytes | Self::IoWriteBytes => Unit::BytesPerSecond,
            Self::IoReads | Self::IoWrites => Unit::OperationsPerSecond,
            Self::NetEgress | Self::NetIngress => Unit::BitsPerSecond,
        }
    }

    /// Whether it is the difference of two totals over a window, rather than a value read.
    #[must_use]
    pub const fn is_rate(self) -> bool {
        match self {
            Self::MemoryUsage
            | Self::MemoryWorkingSet
            | Self::MemoryAnon
            | Self::MemorySwap
            | Self::PidsCurrent => false,
            Self::CpuUsage
            | Self::CpuThrottledRatio
            | Self::IoReadBytes
            | Self::IoWriteBytes
            | Self::IoReads
            | Self::IoWrites
            | Self::NetEgress
            | Self::NetIngress => true,
        }
    }

    /// One sentence for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MemoryUsage => "All memory charged to it, page cache included.",
            Self::MemoryWorkingSet => "Usage less inactive file pages, as Kubernetes counts it.",
            Self::MemoryAnon => "Anonymous memory: what cannot be dropped, only swapped.",
            Self::MemorySwap => "Swap in use.",
            Self::CpuUsage => {
                "CPU time used in the window, in cores: `\"1.5 cores\"` or `\"150%\"`."
            }
            Self::CpuThrottledRatio => {
                "Share of the window's CFS periods in which it ran out of quota."
            }
            Self::PidsCurrent => "Tasks: processes and threads.",
            Self::IoReadBytes => "Bytes read from disks in a second, over all disks.",
            Self::IoWriteBytes => "Bytes written to disks in a second, over all disks.",
            Self::IoReads => "Read operations in a second, over all disks.",
            Self::IoWrites => "Write operations in a second, over all disks.",
            Self::NetEgress => "Bits its sockets sent in a second, loopback left out.",
            Self::NetIngress => "Bits its sockets received in a second, loopback left out.",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
