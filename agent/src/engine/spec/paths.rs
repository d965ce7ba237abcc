//! What of `/proc` and `/sys` is hidden from a container, and what it cannot write.

use std::fs;
use std::sync::OnceLock;

use bollard::models::HostConfig;

/// As Docker 28 has them.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];
const CPUS: &str = "/sys/devices/system/cpu";
/// How often a CPU was too hot, which tells what others run.
const THROTTLING: &str = "thermal_throttle";

/// Hidden, and read-only. A list in the configuration takes the place of Docker's
/// (`systempaths=unconfined` sends empty ones).
pub(super) fn of(host: &HostConfig) -> (Vec<String>, Vec<String>) {
    if host.privileged == Some(true) {
        return (Vec::new(), Vec::new());
    }
    let listed = |list: &[&str]| list.iter().map(|&path| path.to_owned()).collect();
    let masked = host.masked_paths.clone().unwrap_or_else(|| {
        let mut masked: Vec<String> = listed(&MASKED);
        masked.extend_from_slice(throttling());
        masked
    });
    (
        masked,
        host.readonly_paths
            .clone()
            .unwrap_or_else(|| listed(&READ_ONLY)),
    )
}

/// Of the CPUs that there were when it was first asked for: the list is as long as there are CPUs, the same at each start.
fn throttling() -> &'static [String] {
    static FOUND: OnceLock<Vec<String>> = OnceLock::new();
    FOUND.get_or_init(find_throttling)
}

fn find_throttling() -> Vec<String> {
    let cpus = fs::read_dir(CPUS).into_iter().flatten().flatten();
    let mut paths: Vec<_> = cpus
        .map(|cpu| cpu.path().join(THROTTLING))
        .filter(|path| path.is_dir())
        .map(|path| path.display().to_string())
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_the_place_of_dockers() {
        let (masked, read_only) = of(&HostConfig::default());
        assert!(masked.contains(&"/proc/kcore".to_owned()));
        assert_eq!(read_only, READ_ONLY);
        let unconfined = HostConfig {
            masked_paths: Some(Vec::new()),
            readonly_paths: Some(vec!["/proc/bus".to_owned()]),
            ..Default::default()
        };
        assert_eq!(of(&unconfined), (Vec::new(), vec!["/proc/bus".to_owned()]));
        let privileged = HostConfig {
            privileged: Some(true),
            ..Default::default()
        };
        assert_eq!(of(&privileged), (Vec::new(), Vec::new()));
    }
}
