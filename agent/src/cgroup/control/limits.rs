//! Every limit that is in force on a workload's own cgroups, whoever set it.

use std::fs;

use super::{Control, Knob, Setting, cpuset, io};

impl Control {
    /// What is set to anything else than the kernel sets a new cgroup to. What cannot be read is left
    /// out: nothing of it is in force here.
    #[must_use]
    pub fn limits(&self) -> Vec<Setting> {
        // Any disk's number: the file is the same for all.
        let disks = self.site(Knob::IoMax(Default::default()));
        let disks = disks.map(io::capped_disks).unwrap_or_default();
        // What happens at a limit is none itself.
        let single = Knob::SINGLE.into_iter();
        let single = single.filter(|knob| *knob != Knob::MemoryOomGroup);
        let knobs = single.chain([Knob::Freeze]);
        let knobs = knobs.chain(disks.into_iter().map(Knob::IoMax));
        let settings = knobs.filter_map(|knob| self.read(knob).ok());
        settings.filter(limits).collect()
    }
}

fn limits(setting: &Setting) -> bool {
    match setting {
        Setting::CpuMax(quota) => quota.quota_us.is_some(),
        Setting::CpuMaxBurst(us) => *us > 0,
        // kernel/sched/sched.h: CGROUP_WEIGHT_DFL, and NICE_0_LOAD for v1, v6.12.
        Setting::CpuWeight(weight) | Setting::IoWeight(weight) | Setting::IoBfqWeight(weight) => {
            *weight != 100
        }
        Setting::CpuShares(shares) => *shares != 1_024,
        Setting::CpuIdle(on) | Setting::MemoryOomGroup(on) | Setting::Freeze(on) => *on,
        // Empty on v2; on v1 those of the cgroup above were copied, which may be all.
        Setting::CpusetCpus(list) => is_some_of(list, "/sys/devices/system/cpu/online"),
        Setting::CpusetMems(list) => is_some_of(list, "/sys/devices/system/node/online"),
        Setting::MemoryLow(bytes) | Setting::MemoryMin(bytes) => *bytes != Some(0),
        Setting::MemoryMax(most)
        | Setting::MemoryHigh(most)
        | Setting::MemorySwapMax(most)
        | Setting::PidsMax(most) => most.is_some(),
        Setting::IoMax(_, caps) => *caps != super::IoCaps::default(),
    }
}

fn is_some_of(list: &str, all: &str) -> bool {
    let all = fs::read_to_string(all).unwrap_or_default();
    !list.trim().is_empty() && !cpuset::same(list, all.trim())
}
