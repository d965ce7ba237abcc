//! Limits that Docker refuses, in its words.

use std::fs;
use std::thread::available_parallelism;

use bollard::models::HostConfig;

use super::SpecError;
use super::error::refuse;

/// 6 MiB: with less, nothing starts.
const LEAST_MEMORY: i64 = 6 << 20;
const NANO: i64 = 1_000_000_000;

/// Checks everything that limits a container.
pub(super) fn limits(host: &HostConfig) -> Result<(), SpecError> {
    memory(host)?;
    cpu(host)?;
    cpuset(host)?;
    block_io(host)
}

fn memory(host: &HostConfig) -> Result<(), SpecError> {
    let memory = host.memory.unwrap_or(0);
    let swap = host.memory_swap.unwrap_or(0);
    let reservation = host.memory_reservation.unwrap_or(0);
    if memory != 0 && memory < LEAST_MEMORY {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if memory > 0 && swap > 0 && swap < memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if memory == 0 && swap > 0 {
        return refuse(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        );
    }
    if swap < -1 {
        return refuse(format!(
            "Invalid value: {swap}, a swap limit is -1 or positive"
        ));
    }
    if let Some(swappiness) = host.memory_swappiness
        && !(-1..=100).contains(&swappiness)
    {
        return refuse(format!(
            "Invalid value: {swappiness}, valid memory swappiness range is 0-100"
        ));
    }
    if reservation != 0 && reservation < LEAST_MEMORY {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if memory > 0 && reservation > 0 && memory < reservation {
        return refuse(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        );
    }
    Ok(())
}

fn cpu(host: &HostConfig) -> Result<(), SpecError> {
    let nano = host.nano_cpus.unwrap_or(0);
    let (period, quota) = (host.cpu_period.unwrap_or(0), host.cpu_quota.unwrap_or(0));
    if nano > 0 && period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    }
    if nano > 0 && quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    }
    let cpus = available_parallelism().map_or(1, |cpus| cpus.get());
    let most = i64::try_from(cpus).unwrap_or(i64::MAX).saturating_mul(NANO);
    if nano < 0 || nano > most {
        return refuse(format!(
            "range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
        ));
    }
    if period != 0 && !(1_000..=1_000_000).contains(&period) {
        return refuse(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if quota > 0 && quota < 1_000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    let shares = host.cpu_shares.unwrap_or(0);
    if shares < 0 {
        return refuse(format!(
            "invalid CPU shares ({shares}): value must be a positive integer"
        ));
    }
    Ok(())
}

fn cpuset(host: &HostConfig) -> Result<(), SpecError> {
    let lists = [
        (
            &host.cpuset_cpus,
            "cpus",
            "CPUs",
            "/sys/devices/system/cpu/online",
        ),
        (
            &host.cpuset_mems,
            "mems",
            "memory nodes",
            "/sys/devices/system/node/has_memory",
        ),
    ];
    for (list, field, noun, file) in lists {
        let Some(asked) = list.as_deref().filter(|list| !list.is_empty()) else {
            continue;
        };
        let Some(wanted) = numbers(asked) else {
            return refuse(format!("Invalid value {asked} for cpuset {field}"));
        };
        let available = fs::read_to_string(file).unwrap_or_else(|_| "0".to_owned());
        let online = numbers(available.trim()).unwrap_or_default();
        let has = |number: u32| {
            online
                .iter()
                .any(|&(first, last)| (first..=last).contains(&number))
        };
        // A range whose ends are there may have a hole: the kernel decides.
        if !wanted.iter().all(|&(first, last)| has(first) && has(last)) {
            return refuse(format!(
                "Requested {noun} are not available - requested {asked}, available: {}",
                available.trim()
            ));
        }
    }
    Ok(())
}

/// `0-3,5`, as ranges.
fn numbers(list: &str) -> Option<Vec<(u32, u32)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    };
    list.split(',').map(range).collect()
}

fn block_io(host: &HostConfig) -> Result<(), SpecError> {
    let in_range = |weight: u64| (10..=1000).contains(&weight);
    let weight = u64::from(host.blkio_weight.unwrap_or(0));
    if weight != 0 && !in_range(weight) {
        return refuse("Range of blkio weight is from 10 to 1000");
    }
    for device in host.blkio_weight_device.iter().flatten() {
        let weight = device.weight.unwrap_or(0) as u64;
        if weight != 0 && !in_range(weight) {
            let path = device.path.as_deref().unwrap_or_default();
            return refuse(format!("invalid weight for device {path}: from 10 to 1000"));
        }
    }
    if host.io_maximum_bandwidth.unwrap_or(0) != 0 {
        return refuse("invalid option: QoS maximum bandwidth is not supported on linux");
    }
    if host.io_maximum_iops.unwrap_or(0) != 0 {
        return refuse("invalid option: QoS maximum IOPs is not supported on linux");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut HostConfig)) -> String {
        let mut host = HostConfig::default();
        change(&mut host);
        limits(&host).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn memory_has_dockers_bounds() {
        let memory = |memory, swap, reservation| {
            refusal(|host| {
                host.memory = Some(memory);
                host.memory_swap = Some(swap);
                host.memory_reservation = Some(reservation);
            })
        };
        assert_eq!(memory(64 << 20, 128 << 20, 32 << 20), "");
        assert_eq!(memory(64 << 20, -1, 0), "");
        assert_eq!(memory(6 << 20, 0, 0), "");
        assert_eq!(
            memory((6 << 20) - 1, 0, 0),
            "Minimum memory limit allowed is 6MB"
        );
        assert!(memory(64 << 20, 32 << 20, 0).starts_with("Minimum memoryswap limit"));
        assert!(memory(0, 64 << 20, 0).starts_with("You should always set the Memory limit"));
        assert!(memory(64 << 20, 0, 65 << 20).starts_with("Minimum memory limit can not be less"));
        assert!(memory(64 << 20, 0, 1).starts_with("Minimum memory reservation"));
        assert!(refusal(|host| host.memory_swappiness = Some(101)).contains("0-100"));
        assert_eq!(refusal(|host| host.memory_swappiness = Some(-1)), "");
    }

    #[test]
    fn cpus_are_those_there_are() {
        assert_eq!(refusal(|host| host.nano_cpus = Some(NANO / 2)), "");
        assert!(refusal(|host| host.nano_cpus = Some(NANO * 100_000)).starts_with("range of CPUs"));
        assert!(refusal(|host| host.cpu_period = Some(999)).starts_with("CPU cfs period"));
        assert!(refusal(|host| host.cpu_quota = Some(999)).starts_with("CPU cfs quota"));
        assert_eq!(refusal(|host| host.cpu_quota = Some(-1)), "");
        let both = refusal(|host| {
            host.nano_cpus = Some(NANO);
            host.cpu_quota = Some(1_000);
        });
        assert!(
            both.starts_with("Conflicting options: Nano CPUs and CPU Quota"),
            "{both}"
        );
        assert_eq!(refusal(|host| host.cpuset_cpus = Some("0".to_owned())), "");
        let cpuset = |list: &str| refusal(|host| host.cpuset_cpus = Some(list.to_owned()));
        assert_eq!(cpuset("1-0"), "Invalid value 1-0 for cpuset cpus");
        assert!(
            cpuset("0,99999").starts_with("Requested CPUs are not available - requested 0,99999")
        );
    }

    #[test]
    fn weights_are_in_range() {
        assert_eq!(refusal(|host| host.blkio_weight = Some(10)), "");
        assert!(refusal(|host| host.blkio_weight = Some(9)).starts_with("Range of blkio weight"));
    }
}
