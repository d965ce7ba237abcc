//! `plimsoll limit`

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::actions::show;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::why;
use crate::api::{Client, LimitRequest};
use crate::cgroup::{IoCaps, Setting};
use crate::kernel::{AddressRange, PortRange, TrafficRules};
use crate::policy::units::{
    BitRate, ByteRate, ByteSize, CpuLimit, OperationRate, TimeSpan, UnitError,
};
use crate::policy::{Amount, Limit, TrafficError, Wanted, clashes, parse_addresses, parse_ports};

/// Limit what a workload may use, or show its limits
///
/// Works on containers of any engine, on systemd units and on bare cgroups, at once and without a
/// restart. What is set here goes before every policy and stays when the agent stops, until `--clear`
/// returns what was in force before. Without options: what is in force, and who holds it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LimitArgs {
    /// Name, id or cgroup path
    #[arg(value_name = "NAME")]
    workload: String,
    /// Return what was in force before
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    cpu: CpuArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    other: OtherArgs,
    #[command(flatten)]
    network: NetworkArgs,
}

const EXAMPLES: &str = "\
Examples:
  plimsoll limit web --cpu 1.5 --memory 512MiB
  plimsoll limit db --io /var/lib/db:rbps=50MiB,wiops=500
  plimsoll limit backup.service --net-egress 100Mbit
  plimsoll limit web --clear";

const CPU: &str = "CPU";
const MEMORY: &str = "Memory";
const OTHER: &str = "Tasks and disks";
const NETWORK: &str = "Network";

#[derive(Debug, Args)]
#[command(next_help_heading = CPU)]
struct CpuArgs {
    /// CPU time: `1.5`, `150%`, `75ms/50ms` (quota and period), `max`
    #[arg(long, value_name = "CORES", value_parser = CpuLimit::from_flag)]
    cpu: Option<CpuLimit>,
    /// Quota that may be saved up for later, such as `50ms`
    #[arg(long, value_name = "DURATION")]
    cpu_burst: Option<TimeSpan>,
    /// Share when CPUs are short: 1 to 10000; 100 is the kernel's default
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    cpu_weight: Option<u64>,
    /// CPUs it may run on: `0-3,7`
    #[arg(long, value_name = "LIST")]
    cpuset: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = MEMORY)]
struct MemoryArgs {
    /// Most it may have; beyond it the kernel kills: `512MiB`, `max`
    #[arg(long, short, value_name = "BYTES", value_parser = bytes)]
    memory: Option<Bytes>,
    /// Above this it is slowed down and its memory reclaimed (cgroup v2)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_high: Option<Bytes>,
    /// Kept from it only when there is no other way (cgroup v2)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_low: Option<Bytes>,
    /// Never reclaimed from it (cgroup v2)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_min: Option<Bytes>,
    /// Swap it may use
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_swap_max: Option<Bytes>,
    /// Let the OOM killer take all of it or nothing (cgroup v2)
    #[arg(long, value_name = "BOOL")]
    oom_group: Option<bool>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = OTHER)]
struct OtherArgs {
    /// Tasks it may have: a number or `max`
    #[arg(long, value_name = "NUMBER", value_parser = tasks)]
    pids: Option<Tasks>,
    /// Caps of the disk below a path: `PATH:rbps=50MiB,wbps=…,riops=500,wiops=…`; may be given several
    /// times
    #[arg(long, value_name = "PATH:CAPS", value_parser = disk)]
    io: Vec<Disk>,
    /// Share when a disk is busy: 1 to 10000; 100 is the kernel's default
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    io_weight: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = NETWORK)]
struct NetworkArgs {
    /// What it may send a second: `100Mbit`
    #[arg(long, value_name = "RATE")]
    net_egress: Option<BitRate>,
    /// What it may receive a second
    #[arg(long, value_name = "RATE")]
    net_ingress: Option<BitRate>,
    /// What may pass at once above the rate
    #[arg(long, value_name = "BYTES")]
    net_burst: Option<ByteSize>,
    /// Address it may not connect to: `169.254.169.254`, `10.0.0.0/8`, `[2001:db8::/32]:443`
    #[arg(long, value_name = "ADDRESS", value_parser = addresses)]
    connect_deny: Vec<Addresses>,
    /// The only addresses it may connect to
    #[arg(long, value_name = "ADDRESS", value_parser = addresses)]
    connect_allow: Vec<Addresses>,
    /// Port, or ports such as `1-1023`, it may not bind
    #[arg(long, value_name = "PORTS", value_parser = parse_ports)]
    bind_deny: Vec<PortRange>,
    /// The only ports it may bind
    #[arg(long, value_name = "PORTS", value_parser = parse_ports)]
    bind_allow: Vec<PortRange>,
}

/// `None`: unlimited.
#[derive(Clone, Copy, Debug)]
struct Bytes(Option<u64>);

/// `None`: unlimited.
#[derive(Clone, Copy, Debug)]
struct Tasks(Option<u64>);

#[derive(Clone, Debug)]
struct Disk {
    path: PathBuf,
    caps: IoCaps,
}

/// One text may mean a range of each family.
#[derive(Clone, Debug)]
struct Addresses(Vec<AddressRange>);

pub(super) async fn run(
    args: LimitArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let name = args.workload.clone();
    let clear = args.clear;
    let limits = args.limits();
    match (clear, limits.is_empty()) {
        (true, true) => show(&client.clear_limits(&name).await?, format, out),
        (true, false) => Err(Failure::new(
            Exit::Usage,
            "`--clear` takes no limits beside it: clear first, then set",
        )),
        (false, true) => why::show_held(client.why(&name).await?, format, out),
        (false, false) => {
            if let Some(clash) = clashes(&limits).first() {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{}: {}", clash.key, clash.what),
                ));
            }
            let request = LimitRequest { limits };
            show(&client.limit(&name, &request).await?, format, out)
        }
    }
}

impl LimitArgs {
    fn limits(self) -> Vec<Limit> {
        let Self {
            cpu,
            memory,
            other,
            network,
            ..
        } = self;
        let settings = [
            cpu.cpu.map(|limit| Setting::CpuMax(limit.0)),
            cpu.cpu_burst.map(|burst| {
                Setting::CpuMaxBurst(burst.0.as_micros().try_into().unwrap_or(u64::MAX))
            }),
            cpu.cpu_weight.map(Setting::CpuWeight),
            cpu.cpuset.map(Setting::CpusetCpus),
            memory.memory.map(|bytes| Setting::MemoryMax(bytes.0)),
            memory.memory_high.map(|bytes| Setting::MemoryHigh(bytes.0)),
            memory.memory_low.map(|bytes| Setting::MemoryLow(bytes.0)),
            memory.memory_min.map(|bytes| Setting::MemoryMin(bytes.0)),
            memory
                .memory_swap_max
                .map(|bytes| Setting::MemorySwapMax(bytes.0)),
            memory.oom_group.map(Setting::MemoryOomGroup),
            other.pids.map(|tasks| Setting::PidsMax(tasks.0)),
            other.io_weight.map(Setting::IoWeight),
        ];
        let settings = settings.into_iter().flatten().map(exactly);
        let disks = other
            .io
            .into_iter()
            .map(|Disk { path, caps }| Limit::Io { path, caps });
        settings.chain(disks).chain(network.limit()).collect()
    }
}

impl NetworkArgs {
    fn limit(self) -> Option<Limit> {
        let rules = TrafficRules {
            egress_bits_per_second: self.net_egress.map(|rate| rate.0),
            ingress_bits_per_second: self.net_ingress.map(|rate| rate.0),
            burst_bytes: self.net_burst.map(|size| size.0),
            connect_allow: all(self.connect_allow),
            connect_deny: all(self.connect_deny),
            bind_allow: self.bind_allow,
            bind_deny: self.bind_deny,
        };
        (rules != TrafficRules::default()).then_some(Limit::Traffic(rules))
    }
}

fn exactly(setting: Setting) -> Limit {
    Limit::Cgroup(Wanted {
        knob: setting.knob(),
        amount: Amount::Exactly(setting),
        ceiling: None,
        floor: None,
    })
}

fn bytes(text: &str) -> Result<Bytes, String> {
    match text {
        "max" => Ok(Bytes(None)),
        size => match size.parse::<ByteSize>() {
            Ok(size) => Ok(Bytes(Some(size.0))),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn tasks(text: &str) -> Result<Tasks, String> {
    match text {
        "max" => Ok(Tasks(None)),
        number => match number.parse() {
            Ok(0) | Err(_) => Err("expected a number of 1 or more, or `max`".to_owned()),
            Ok(number) => Ok(Tasks(Some(number))),
        },
    }
}

/// `PATH:rbps=50MiB,wiops=500`
fn disk(text: &str) -> Result<Disk, String> {
    let (path, list) = text
        .rsplit_once(':')
        .filter(|(path, _)| path.starts_with('/'))
        .ok_or("expected a path and caps, such as `/var/lib/db:rbps=50MiB,wiops=500`")?;
    let mut caps = IoCaps::default();
    for cap in list.split(',') {
        let (name, value) = cap
            .split_once('=')
            .ok_or_else(|| format!("`{cap}` has no value, such as `rbps=50MiB`"))?;
        match name {
            "rbps" => caps.rbps = Some(bytes_a_second(value)?),
            "wbps" => caps.wbps = Some(bytes_a_second(value)?),
            "riops" => caps.riops = Some(operations_a_second(value)?),
            "wiops" => caps.wiops = Some(operations_a_second(value)?),
            other => return Err(format!("`{other}` is none of rbps, wbps, riops, wiops")),
        }
    }
    Ok(Disk {
        path: path.into(),
        caps,
    })
}

fn bytes_a_second(text: &str) -> Result<u64, String> {
    let rate: ByteRate = text.parse().map_err(|error: UnitError| error.to_string())?;
    Ok(rate.0)
}

fn operations_a_second(text: &str) -> Result<u64, String> {
    let rate: OperationRate = text.parse().map_err(|error: UnitError| error.to_string())?;
    Ok(rate.0)
}

fn addresses(text: &str) -> Result<Addresses, TrafficError> {
    parse_addresses(text).map(Addresses)
}

fn all(lists: Vec<Addresses>) -> Vec<AddressRange> {
    lists.into_iter().flat_map(|list| list.0).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn disks() {
        let Disk { path, caps } = disk("/var/lib/db:rbps=50MiB,wiops=500").unwrap();
        assert_eq!(path, PathBuf::from("/var/lib/db"));
        assert_eq!(caps.rbps, Some(50 << 20));
        assert_eq!(caps.wiops, Some(500));
        assert_eq!((caps.wbps, caps.riops), (None, None));
        for wrong in ["/x", "x:rbps=1MiB", "/x:rbps", "/x:rbps=5", "/x:speed=5MiB"] {
            assert!(disk(wrong).is_err(), "{wrong}");
        }
    }
}
