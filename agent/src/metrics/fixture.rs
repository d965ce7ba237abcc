//! A made-up snapshot and machine in which every family of the catalogue has a sample.

mod doings;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cgroup::{
    CpuReading, DeviceIo, DeviceNumber, Limits, MemoryReading, PidsReading, Placement, Pressure,
    PressureReading, Reading, Throttling,
};
use crate::identity::{Identity, Kind, Runtime};
use crate::ledger::{
    AgentReading, EngineState, Histogram, HostReading, InterfaceTotals, Life, LossCounter, MapFill,
    NamespaceCount, NetdevTotals, Network, ProbeReading, ProbeState, Snapshot, TaskCounts,
    TaskStates, Unattributed, Workload,
};
use crate::metrics::machine::{Cache, Dimms, HugePages, Machine, Node, Thread, Topology};

pub(crate) use doings::{hold, launching};

/// When the snapshot was taken.
pub(super) fn taken() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)
}

/// The host and `containers` containers, all different.
pub(super) fn snapshot(containers: u64) -> Snapshot {
    let host = Workload {
        identity: Arc::new(Identity {
            id: "/".to_owned(),
            kind: Kind::Host,
            ..Identity::default()
        }),
        ..workload(0)
    };
    let workloads = std::iter::once(host).chain((1..=containers).map(workload));
    Snapshot {
        tick: 7,
        taken: taken(),
        host: HostReading {
            cpu_busy_ns: 9_000_000_000,
            cpu_time_ns: 20_000_000_000,
            cpus: 2,
            memory_bytes: 8 << 30,
            memory_available_bytes: 4 << 30,
            swap_bytes: 1 << 30,
            oom_kills: 2,
        },
        workloads: workloads.map(Arc::new).collect(),
        folded_workloads: 3,
        unattributed: Unattributed { cpu_ns: 250_000 },
        namespaces: vec![NamespaceCount {
            kind: "net".to_owned(),
            alive: 4,
            created: 9,
            entered: 2,
        }],
        agent: agent(),
    }
}

/// Nothing known yet.
pub(super) fn empty() -> Snapshot {
    Snapshot {
        tick: 0,
        taken: UNIX_EPOCH,
        host: HostReading::default(),
        workloads: Vec::new(),
        folded_workloads: 0,
        unattributed: Unattributed::default(),
        namespaces: Vec::new(),
        agent: AgentReading::default(),
    }
}

/// Container number `n`, with a value for everything.
pub(super) fn workload(n: u64) -> Workload {
    let container_id = format!("{n:064x}");
    Workload {
        identity: Arc::new(Identity {
            id: format!("/docker/{container_id}"),
            runtime: Runtime::Docker,
            kind: Kind::Container,
            container_id: Some(container_id),
            name: Some(format!("service-{n}")),
            image: Some(format!("registry.example/team/service:{n}")),
            labels: [("com.example.tier".to_owned(), "front \"1\"\\\n".to_owned())].into(),
            container: Some("main".to_owned()),
            pod: Some(format!("pod-{n}")),
            namespace: Some("default".to_owned()),
            pod_uid: Some(format!("uid-{n}")),
        }),
        placement: Arc::new(Placement::default()),
        life: Life::Alive,
        created: taken() - Duration::from_secs(n),
        reading: reading(n),
        network: network(n),
        tasks: TaskStates {
            counted: Some(TaskCounts {
                processes: 2,
                threads: 5,
                running: 1,
                sleeping: 3,
                stopped: 0,
                uninterruptible: 1,
            }),
            load_average_10s: Some(0.75),
            load_d_average_10s: Some(0.25),
        },
        oom_kills: n % 3,
        switches: Some(1_000 + n),
        execs: 4,
        exits: 3,
        foreign_namespace_enters: 1,
        cpu_cores: 0.5,
    }
}

fn reading(n: u64) -> Reading {
    let pressure = Some(PressureReading {
        some: Pressure {
            avg10: 1.5,
            total_us: 1_234_567 + n,
        },
        full: Some(Pressure {
            avg10: 0.5,
            total_us: 234_567 + n,
        }),
    });
    Reading {
        cpu: Some(CpuReading {
            usage_ns: 12_345_678_901 + n,
            user_ns: 10_000_000_000,
            system_ns: 2_345_678_901 + n,
            throttling: Some(Throttling {
                periods: 100,
                throttled_periods: 25,
                throttled_ns: 1_500_000_000,
                burst_periods: 2,
                burst_ns: 3_000_000,
            }),
        }),
        memory: Some(memory(n)),
        io: Some(vec![
            io(n, DeviceNumber { major: 8, minor: 0 }),
            io(
                n,
                DeviceNumber {
                    major: 253,
                    minor: 7,
                },
            ),
        ]),
        pids: Some(PidsReading {
            current: 6,
            max: Some(100),
        }),
        cpu_pressure: pressure,
        memory_pressure: pressure,
        io_pressure: pressure,
        limits: Limits {
            cpu_quota_us: Some(50_000),
            cpu_period_us: Some(100_000),
            cpu_shares: Some(1_024),
            memory_max_bytes: Some(1 << 30),
            swap_max_bytes: None,
            memory_high_bytes: Some(1 << 29),
            memory_reservation_bytes: Some(1 << 29),
        },
    }
}

fn memory(n: u64) -> MemoryReading {
    MemoryReading {
        usage_bytes: 100_000_000 + n,
        working_set_bytes: 90_000_000 + n,
        rss_bytes: 60_000_000,
        cache_bytes: 30_000_000,
        mapped_file_bytes: 1_000_000,
        swap_bytes: Some(4_096),
        peak_bytes: Some(200_000_000),
        kernel_bytes: Some(2_000_000),
        active_file_bytes: 20_000_000,
        inactive_file_bytes: 10_000_000,
        file_dirty_bytes: Some(8_192),
        file_writeback_bytes: Some(0),
        failures: Some(11),
        page_faults: 12_345,
        major_page_faults: 12,
        pages_scanned: Some(1),
        pages_stolen: Some(2),
        workingset_refault_file: Some(3),
        workingset_refault_anon: Some(4),
        events_high: Some(5),
        events_max: Some(6),
        events_oom_kill: Some(1),
    }
}

fn io(n: u64, device: DeviceNumber) -> DeviceIo {
    DeviceIo {
        device,
        read_bytes: 512 * (1_000 + n),
        write_bytes: 1_024 * (1_000 + n),
        reads: 1_000,
        writes: 2_000,
        discard_bytes: 512,
        discards: 1,
        sync_bytes: None,
        async_bytes: None,
    }
}

fn network(n: u64) -> Network {
    let interface = |name: &str| InterfaceTotals {
        interface: name.to_owned(),
        receive_bytes: 1_000_000 + n,
        receive_packets: 1_000,
        transmit_bytes: 2_000_000 + n,
        transmit_packets: 2_000,
    };
    Network {
        interfaces: Some(vec![interface("lo"), interface("eth0")]),
        netdev: vec![NetdevTotals {
            interface: "eth0".to_owned(),
            receive_bytes: 1_014_000,
            receive_packets: 1_000,
            receive_errors: 1,
            receive_dropped: 2,
            transmit_bytes: 2_028_000,
            transmit_packets: 2_000,
            transmit_errors: 3,
            transmit_dropped: 4,
        }],
    }
}

fn agent() -> AgentReading {
    let count = |name: &str, count| LossCounter {
        name: name.to_owned(),
        count,
    };
    AgentReading {
        started: Some(taken()),
        probes: vec![
            probe("sched_switch", ProbeState::Attached),
            probe(
                "mark_victim",
                ProbeState::Degraded("only the pid".to_owned()),
            ),
            probe("sched_process_exec", ProbeState::Attached),
        ],
        losses: vec![count("lifecycle", 0)],
        events: vec![count("LIFECYCLE", 1_234)],
        maps: vec![MapFill {
            map: "CGROUP_NETWORK".to_owned(),
            used: 10,
            capacity: 16_384,
        }],
        reading_time: Histogram {
            bounds_seconds: vec![0.001, 0.01],
            counts: vec![3, 6, 7],
            sum_seconds: 0.0525,
        },
        last_reading_time: Duration::from_micros(1_500),
        cgroups_read: 12,
        open_files: 40,
        engines: vec![EngineState {
            engine: "docker".to_owned(),
            up: true,
            reason: None,
        }],
    }
}

/// A probe at the tracepoint `name`.
pub(super) fn probe(name: &str, state: ProbeState) -> ProbeReading {
    ProbeReading {
        name: name.to_owned(),
        hook: format!("tp_btf/{name}"),
        state,
        run_count: 1_000,
        run_ns: 90_000,
        verified_instructions: Some(321),
    }
}

/// A machine that has everything: an s390 with EDAC, so to speak.
pub(super) fn machine() -> Machine {
    let thread = |cpu| Thread {
        cpu,
        node: 0,
        package: 0,
        core: cpu / 2,
        book: Some(0),
        drawer: Some(0),
    };
    let cache = |core, level, bytes| Cache {
        node: 0,
        core,
        level,
        kind: "Unified".to_owned(),
        bytes,
    };
    Machine {
        labels: b"machine_id=\"m\",boot_id=\"b\"".to_vec(),
        topology: Topology {
            threads: (0..4).map(thread).collect(),
        },
        caches: vec![
            cache(None, 3, 8 << 20),
            cache(Some(0), 2, 1 << 20),
            cache(Some(1), 2, 1 << 20),
        ],
        nodes: vec![Node {
            id: 0,
            memory_bytes: Some(8 << 30),
            huge_pages: vec![HugePages {
                page_kib: 2_048,
                count: 3,
            }],
            distances: vec![(0, 10)],
        }],
        memory_bytes: Some(8 << 30),
        swap_bytes: Some(0),
        dimms: vec![Dimms {
            kind: "Registered-DDR5".to_owned(),
            count: 2,
            bytes: 8 << 30,
        }],
        kernel: Some("6.1.0".to_owned()),
        system: Some("An OS 1".to_owned()),
    }
}
