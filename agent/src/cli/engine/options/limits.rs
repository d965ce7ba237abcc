//! What a container may use: of `run`, `create` and `update`.

use bollard::models::{HostConfig, ResourcesUlimits, ThrottleDevice};
use clap::Args;

use super::amount;

/// Limits that can be changed while a container runs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(in super::super) struct LimitArgs {
    /// How many CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER", value_parser = amount::nano_cpus, allow_negative_numbers = true)]
    pub(in super::super) cpus: Option<i64>,
    /// Weight among others when CPUs are short [1024 is usual]
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<i64>,
    /// Length of a CPU period, in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<i64>,
    /// CPU time in a period, in microseconds
    #[arg(long, value_name = "US")]
    cpu_quota: Option<i64>,
    /// CPUs it may run on, such as 0-3,5
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes it may use
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Most memory, such as 64m
    #[arg(short, long, value_name = "BYTES", value_parser = amount::bytes)]
    memory: Option<i64>,
    /// Memory it is held to when the host is short of it
    #[arg(long, value_name = "BYTES", value_parser = amount::bytes)]
    memory_reservation: Option<i64>,
    /// Most memory and swap together; -1: as much swap as there is
    #[arg(long, value_name = "BYTES", value_parser = amount::bytes_or_unlimited, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Most processes and threads; -1: no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Weight among others for disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
}

/// Limits that a container starts with.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(in super::super) struct StartLimitArgs {
    /// How readily memory is swapped out, 0 to 100
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=100))]
    memory_swappiness: Option<i64>,
    /// Let processes wait instead of killing one when memory is out
    #[arg(long)]
    oom_kill_disable: bool,
    /// How readily the kernel kills it when the host is out of memory, -1000 to 1000
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    oom_score_adj: Option<i64>,
    /// Bytes a second it may read from a device, such as /dev/sda:1mb
    #[arg(long, value_name = "DEVICE:RATE", value_parser = amount::device_bytes)]
    device_read_bps: Vec<ThrottleDevice>,
    /// Bytes a second it may write to a device
    #[arg(long, value_name = "DEVICE:RATE", value_parser = amount::device_bytes)]
    device_write_bps: Vec<ThrottleDevice>,
    /// Reads a second from a device
    #[arg(long, value_name = "DEVICE:RATE", value_parser = amount::device_operations)]
    device_read_iops: Vec<ThrottleDevice>,
    /// Writes a second to a device
    #[arg(long, value_name = "DEVICE:RATE", value_parser = amount::device_operations)]
    device_write_iops: Vec<ThrottleDevice>,
    /// Limit of a process, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = amount::ulimit)]
    ulimit: Vec<ResourcesUlimits>,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES", value_parser = amount::bytes)]
    shm_size: Option<i64>,
}

impl LimitArgs {
    pub(in super::super) fn apply(self, host: &mut HostConfig) {
        host.nano_cpus = self.cpus;
        host.cpu_shares = self.cpu_shares;
        host.cpu_period = self.cpu_period;
        host.cpu_quota = self.cpu_quota;
        host.cpuset_cpus = self.cpuset_cpus;
        host.cpuset_mems = self.cpuset_mems;
        host.memory = self.memory;
        host.memory_reservation = self.memory_reservation;
        host.memory_swap = self.memory_swap;
        host.pids_limit = self.pids_limit;
        host.blkio_weight = self.blkio_weight;
    }
}

impl StartLimitArgs {
    pub(super) fn apply(self, host: &mut HostConfig) {
        let some = |rates: Vec<_>| (!rates.is_empty()).then_some(rates);
        host.memory_swappiness = self.memory_swappiness;
        host.oom_kill_disable = self.oom_kill_disable.then_some(true);
        host.oom_score_adj = self.oom_score_adj;
        host.blkio_device_read_bps = some(self.device_read_bps);
        host.blkio_device_write_bps = some(self.device_write_bps);
        host.blkio_device_read_iops = some(self.device_read_iops);
        host.blkio_device_write_iops = some(self.device_write_iops);
        // The last one of a name counts, and names are in order.
        let mut limits: Vec<ResourcesUlimits> = Vec::new();
        for limit in self.ulimit {
            limits.retain(|other| other.name != limit.name);
            limits.push(limit);
        }
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        host.ulimits = (!limits.is_empty()).then_some(limits);
        host.shm_size = self.shm_size;
    }
}
