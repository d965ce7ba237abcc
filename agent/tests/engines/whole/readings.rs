//! Readings of one container beside the kernel's own counters.

use std::thread::sleep;
use std::time::Duration;

use crate::agent::Agent;
use crate::kernel::Cgroup;
use crate::samples::Samples;

pub(super) const CPU: &str = "container_cpu_usage_seconds_total";
/// Keeps to its quota, and has 8 MiB of page cache.
pub(super) const BUSY: [&str; 3] = [
    "sh",
    "-c",
    "dd if=/dev/zero of=/tmp/cached bs=1M count=8; while :; do :; done",
];

const INTERVAL: Duration = Duration::from_secs(2);
/// How far a reading of memory may be off.
const PAGE: f64 = 4096.0;
const CACHED: f64 = 8.0 * 1024.0 * 1024.0;
/// The kernel sums up what its CPUs counted of memory (mm/memcontrol.c `FLUSH_TIME`, v6.12); before, little is left out.
const FLUSH: Duration = Duration::from_secs(2);

/// A container under a label that no other has.
pub(super) struct Watched<'a> {
    pub(super) agent: &'a Agent,
    pub(super) label: (&'a str, &'a str),
    pub(super) kernel: Cgroup,
}

impl Watched<'_> {
    fn of(&self, samples: &Samples, family: &str) -> f64 {
        let sample = samples.one(family, &[self.label]);
        let sample = sample.unwrap_or_else(|| panic!("no {family} of {:?}", self.label));
        sample.value
    }

    /// While it runs: never more than the kernel has by now, never less than it had before.
    pub(super) fn cpu_keeps_up(&self) {
        self.agent
            .wait("CPU", |samples| samples.one(CPU, &[self.label]).map(drop));
        for _ in 0..3 {
            let before = self.kernel.cpu_seconds();
            let told = self.of(&self.agent.fresh(), CPU);
            let after = self.kernel.cpu_seconds();
            println!("CPU while it runs: {told} in {before}..={after}");
            assert!((before..=after).contains(&told));
        }
    }

    /// While it stands still the kernel's counters do too, so both see the same interval: `pause`
    /// stops and continues it.
    pub(super) fn interval_is_the_kernels(&self, pause: impl Fn(bool)) {
        let stop = || {
            pause(true);
            let samples = self.settled();
            self.same(&samples);
            (self.of(&samples, CPU), self.kernel.cpu_seconds())
        };
        let start = stop();
        pause(false);
        sleep(INTERVAL);
        let end = stop();
        pause(false);
        let (told, used) = (end.0 - start.0, end.1 - start.1);
        println!("CPU over the interval: {told}, the kernel's {used}");
        assert!(used > INTERVAL.as_secs_f64() / 20.0, "it hardly ran");
        assert!((told - used).abs() <= used * 0.01, "more than 1 % off");
    }

    /// Of a container that stands still.
    fn settled(&self) -> Samples {
        let samples = self.agent.fresh();
        let told = self.of(&samples, "container_memory_rss");
        if (told - self.kernel.anonymous_bytes()).abs() <= PAGE {
            return samples;
        }
        sleep(FLUSH);
        self.agent.fresh()
    }

    /// Everything that stands still with the container.
    fn same(&self, samples: &Samples) {
        let told = |family| self.of(samples, family);
        assert_eq!(told("plimsoll_container_frozen"), 1.0);
        let cpu = self.kernel.cpu_seconds();
        assert!((told(CPU) - cpu).abs() <= 0.01 * cpu);

        let [periods, throttled, time] = self.kernel.throttling();
        // The kernel's timer counts up to two more periods in which nothing ran.
        let told_periods = told("container_cpu_cfs_periods_total");
        assert!((told_periods..=told_periods + 2.0).contains(&periods));
        let told_throttled = told("container_cpu_cfs_throttled_periods_total");
        assert!(throttled > 0.0, "never throttled");
        assert_eq!(told_throttled, throttled);
        let told_time = told("container_cpu_cfs_throttled_seconds_total");
        assert!(
            (told_time - time).abs() < 1e-6,
            "{told_time}, the kernel's {time}"
        );
        assert_eq!(told("container_threads"), self.kernel.tasks());
        self.same_memory(samples);
    }

    fn same_memory(&self, samples: &Samples) {
        let told = |family| self.of(samples, family);
        let usage = told("container_memory_usage_bytes");
        let inactive = self.kernel.inactive_file_bytes();
        let of_kernel = self.kernel.memory_bytes();
        println!("memory: {usage}, the kernel's {of_kernel}");
        // Some of it may still be in a CPU's batch, on its way to the list (mm/swap.c, v6.12).
        assert!(inactive >= CACHED / 2.0, "no page cache: {inactive}");
        let working_set = told("container_memory_working_set_bytes");
        for (told, kernels) in [
            (usage, of_kernel),
            (told("container_memory_rss"), self.kernel.anonymous_bytes()),
            (working_set, of_kernel - inactive),
        ] {
            assert!(
                (told - kernels).abs() <= PAGE,
                "{told}, the kernel's {kernels}"
            );
        }
        let inactive = told("container_memory_total_inactive_file_bytes");
        assert_eq!(working_set, usage - inactive);
    }
}
