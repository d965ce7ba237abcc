//! A host that never was, with workloads of all kinds.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use plimsoll::cgroup::{
    CpuReading, DeviceIo, Limits, MemoryReading, PidsReading, Pressure, PressureReading, Reading,
    Throttling,
};
use plimsoll::identity::{Identity, Kind, Runtime};
use plimsoll::ledger::{
    AgentReading, EngineState, HostReading, InterfaceTotals, Life, LossCounter, NetdevTotals,
    ProbeReading, ProbeState, Snapshot, Unattributed, Workload,
};

pub(crate) const WEB: &str = "4c01db0b339c1f5a8d0e9c7ab1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e";
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// 2024-05-06T10:00:00Z and so many seconds.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_989_600 + seconds)
}

/// A host with a bit of everything. With each tick a second passes, in which `web` uses half a CPU
/// and is throttled in 3 of 10 periods.
pub(crate) fn snapshot(tick: u64) -> Snapshot {
    Snapshot {
        tick,
        taken: at(tick),
        host: HostReading {
            cpus: 8,
            memory_bytes: 16 * GIB,
            ..HostReading::default()
        },
        workloads: vec![
            workload("/", Kind::Host, Runtime::Cgroup, 1.9),
            web(tick),
            pod(),
            sandbox(),
            coredns(),
            workload("/system.slice", Kind::Slice, Runtime::Systemd, 0.3),
            unit(),
            machine(),
            workload("/batch/job-17", Kind::Cgroup, Runtime::Cgroup, 0.25),
            dead(),
        ]
        .into_iter()
        .map(|workload| Arc::new(busy(workload, tick)))
        .collect(),
        folded_workloads: 0,
        unattributed: Unattributed::default(),
        namespaces: Vec::new(),
        agent: agent(),
    }
}

fn workload(id: &str, kind: Kind, runtime: Runtime, cpu_cores: f64) -> Workload {
    let identity = Arc::new(Identity {
        id: id.to_owned(),
        runtime,
        kind,
        ..Identity::default()
    });
    let created = at(0) - Duration::from_secs(200_000);
    Workload {
        reading: Reading {
            memory: Some(MemoryReading {
                usage_bytes: 600 * MIB,
                working_set_bytes: 512 * MIB,
                ..MemoryReading::default()
            }),
            ..Reading::default()
        },
        cpu_cores,
        ..Workload::new(identity, Arc::default(), created)
    }
}

/// With a CPU total that goes with its rate; bare cgroups are in no hierarchy that measures CPU.
fn busy(mut workload: Workload, tick: u64) -> Workload {
    let measured = workload.identity.kind != Kind::Cgroup;
    if measured && workload.reading.cpu.is_none() {
        workload.reading.cpu = Some(CpuReading {
            usage_ns: (workload.cpu_cores * 1e9) as u64 * tick,
            ..CpuReading::default()
        });
    }
    workload
}

fn named(workload: &mut Workload, change: impl FnOnce(&mut Identity)) {
    let mut identity = Identity::clone(&workload.identity);
    change(&mut identity);
    workload.identity = Arc::new(identity);
}

fn web(tick: u64) -> Workload {
    let mut web = workload(
        &format!("/docker/{WEB}"),
        Kind::Container,
        Runtime::Docker,
        0.425,
    );
    named(&mut web, |identity| {
        identity.container_id = Some(WEB.into());
        identity.name = Some("web".into());
        identity.image = Some("nginx:1.27-alpine".into());
        identity.labels.insert("app".into(), "shop".into());
    });
    web.created = at(0) - Duration::from_secs(11_520);
    web.oom_kills = 2;
    let pressure = |avg10| PressureReading {
        some: Pressure { avg10, total_us: 1 },
        full: None,
    };
    web.reading = Reading {
        cpu: Some(CpuReading {
            usage_ns: tick * 500_000_000,
            throttling: Some(Throttling {
                periods: tick * 10,
                throttled_periods: tick * 3,
                ..Throttling::default()
            }),
            ..CpuReading::default()
        }),
        memory: Some(MemoryReading {
            usage_bytes: 250 * MIB,
            working_set_bytes: 243 * MIB,
            ..MemoryReading::default()
        }),
        io: Some(vec![DeviceIo {
            read_bytes: 8_190_000,
            write_bytes: 4_100,
            ..DeviceIo::default()
        }]),
        pids: Some(PidsReading {
            current: 9,
            max: None,
        }),
        cpu_pressure: Some(pressure(12.34)),
        memory_pressure: Some(pressure(0.0)),
        io_pressure: Some(pressure(1.5)),
        limits: Limits {
            memory_max_bytes: Some(256 * MIB),
            ..Limits::default()
        },
    };
    web.network.netdev = vec![NetdevTotals {
        interface: "eth0".into(),
        receive_bytes: 1_210_000_000,
        transmit_bytes: 340_000_000,
        ..NetdevTotals::default()
    }];
    web
}

fn kubernetes(id: &str, kind: Kind, cpu_cores: f64) -> Workload {
    let mut made = workload(
        &format!("/kubepods/pod7{id}"),
        kind,
        Runtime::Containerd,
        cpu_cores,
    );
    named(&mut made, |identity| {
        identity.namespace = Some("kube-system".into());
        identity.pod = Some("coredns-7c65d6cfc9-abcde".into());
    });
    made
}

fn pod() -> Workload {
    let mut pod = kubernetes("", Kind::Pod, 0.021);
    named(&mut pod, |identity| identity.runtime = Runtime::Kubernetes);
    pod
}

fn sandbox() -> Workload {
    kubernetes("/aa", Kind::Sandbox, 0.0)
}

fn coredns() -> Workload {
    let mut coredns = kubernetes("/bb", Kind::Container, 0.02);
    named(&mut coredns, |identity| {
        identity.container_id = Some("bb00112233445566".into());
        identity.container = Some("coredns".into());
        identity.image = Some("registry.k8s.io/coredns/coredns:v1.11.3".into());
    });
    coredns.life = Life::Frozen;
    coredns
}

fn unit() -> Workload {
    let id = "/system.slice/nginx.service";
    let mut unit = workload(id, Kind::Unit, Runtime::Systemd, 0.0);
    named(&mut unit, |identity| {
        identity.name = Some("nginx.service".into());
    });
    let interface = |name: &str, receive_bytes| InterfaceTotals {
        interface: name.into(),
        receive_bytes,
        transmit_bytes: 648,
        ..InterfaceTotals::default()
    };
    unit.network.interfaces = Some(vec![interface("lo", 5_000), interface("eth0", 99_960)]);
    unit
}

fn machine() -> Workload {
    let id = "/machine.slice/machine-qemu-1-debian.scope";
    let mut machine = workload(id, Kind::Machine, Runtime::Libvirt, 1.5);
    named(&mut machine, |identity| {
        identity.name = Some("debian".into());
    });
    machine
}

fn dead() -> Workload {
    let mut dead = workload(
        "/docker/deadbeef0000",
        Kind::Container,
        Runtime::Docker,
        0.0,
    );
    named(&mut dead, |identity| {
        identity.container_id = Some("deadbeef00001111".into());
        identity.name = Some("batch".into());
    });
    dead.life = Life::Dead {
        since: at(0) - Duration::from_secs(45),
    };
    dead
}

fn agent() -> AgentReading {
    let probe = |name: &str, hook: &str, state, run_count| ProbeReading {
        name: name.into(),
        hook: hook.into(),
        state,
        run_count,
        run_ns: run_count * 85,
        verified_instructions: None,
    };
    AgentReading {
        started: Some(at(0)),
        probes: vec![
            probe(
                "sched_switch",
                "tp_btf/sched_switch",
                ProbeState::Attached,
                1_234_567,
            ),
            probe(
                "mark_victim",
                "tp_btf/mark_victim",
                ProbeState::Degraded("no uid in this kernel's record".into()),
                0,
            ),
            probe(
                "ingress",
                "cgroup_skb/ingress",
                ProbeState::Failed("cannot attach: EPERM".into()),
                0,
            ),
            probe(
                "sys_exit_setns",
                "tracepoint/syscalls",
                ProbeState::Disabled,
                0,
            ),
        ],
        losses: vec![
            LossCounter {
                name: "lifecycle".into(),
                count: 12,
            },
            LossCounter {
                name: "process".into(),
                count: 0,
            },
        ],
        engines: vec![
            EngineState {
                engine: "docker".into(),
                up: true,
                reason: None,
            },
            EngineState {
                engine: "podman".into(),
                up: false,
                reason: Some("/run/podman/podman.sock: connection refused".into()),
            },
        ],
        ..AgentReading::default()
    }
}
