//! One tick: kernel maps, all tasks, the files of every workload that was active, the host.

use std::time::{Duration, Instant};

use plimsoll_abi::map::TaskSample;
use plimsoll_abi::namespace::NET;

use super::account::{Account, AccountId};
use super::keeper::Keeper;
use super::kernel_maps::IO_PROBE;
use super::namespaces;
use super::snapshot::{Life, TaskCounts};
use crate::cgroup::Reader;

/// How often the mount table is searched for namespaces that a mount keeps alive.
const MOUNTED_NAMESPACES_EVERY: Duration = Duration::from_secs(10);
/// Time constant of the load averages.
const LOAD_SECONDS: f64 = 10.0;

/// Task states (include/linux/sched.h, v6.12).
const UNINTERRUPTIBLE: u32 = 0x2;
const STOPPED_OR_TRACED: u32 = 0x4 | 0x8;
/// Held by the v1 freezer (6.1 and newer; v2 tells by an event and holds tasks otherwise).
const FROZEN: u32 = 0x8000;
/// With [`UNINTERRUPTIBLE`]: an idle kernel thread.
const NO_LOAD: u32 = 0x400;

impl Keeper {
    /// Takes all readings and publishes them.
    pub(super) fn take_tick(&mut self) {
        let began = Instant::now();
        let elapsed = began.duration_since(self.last_tick);
        self.last_tick = began;
        self.tick += 1;
        self.drain();
        self.note_losses();
        self.ask_again();
        self.pass_over_tasks(elapsed);
        self.read_maps();
        self.read_files(began);
        self.last_reading_time = began.elapsed();
        self.reading_time.observe(self.last_reading_time);
        self.publish();
        self.retire();
    }

    fn pass_over_tasks(&mut self, elapsed: Duration) {
        if self
            .mounted_at
            .is_none_or(|at| at.elapsed() >= MOUNTED_NAMESPACES_EVERY)
        {
            self.namespaces
                .set_mounted(namespaces::mounted_namespaces());
            self.mounted_at = Some(Instant::now());
        }
        let pass = match self.parts.kernel.task_pass() {
            None => return,
            Some(Ok(pass)) => pass,
            Some(Err(error)) => {
                tracing::debug!(%error, "the task iterator did not start");
                return;
            }
        };
        let mut samples = Vec::new();
        if let Err(error) = pass.run(|sample| samples.push(*sample)) {
            tracing::debug!(%error, "the task iterator ended early");
            return;
        }
        self.namespaces.start_pass();
        if let Some(init) = samples.iter().find(|sample| sample.tid == 1) {
            self.namespaces.set_host(init.namespaces);
        }
        for (_, account) in self.tree.iter_mut() {
            account.counting = TaskCounts::default();
            account.held = 0;
            account.network.process = None;
        }
        let host = self.tree.host();
        for sample in &samples {
            let account = self.account_of_ids(sample.cgroup_id, sample.memory_cgroup_id);
            self.namespaces
                .count(&sample.namespaces, account.filter(|id| Some(*id) != host));
            let Some(account) = account.and_then(|id| self.tree.get_mut(id)) else {
                continue;
            };
            count(&mut account.counting, sample);
            account.held += u64::from(sample.state & FROZEN != 0);
            if account.network.process.is_none() && sample.namespaces[NET] != 0 {
                account.network.process = Some(sample.tgid);
                account.network.namespace = Some(sample.namespaces[NET]);
            }
        }
        self.namespaces.end_pass();
        let decay = (-elapsed.as_secs_f64() / LOAD_SECONDS).exp();
        for id in self.tree.deepest_first() {
            let asked = self
                .tree
                .get(id)
                .and_then(|account| account.network.process);
            if let Some(tgid) = asked {
                self.place(Some(id), tgid);
            }
            let parent = self.tree.parent(id);
            let Some(account) = self.tree.get_mut(id) else {
                continue;
            };
            if asked.is_some() {
                account.placements_left = account.placements_left.saturating_sub(1);
            }
            let counts = account.counting;
            let (held, all) = (account.held, counts.threads);
            account.set_frozen_by_v1(all > 0 && held == all);
            smooth_load(account, counts, decay);
            if let Some(parent) = parent.and_then(|id| self.tree.get_mut(id)) {
                add_counts(&mut parent.counting, &counts);
                parent.held += held;
            }
        }
    }

    /// Reads the files of workloads that ran since they were last read, and of idle ones seldom.
    fn read_files(&mut self, now: Instant) {
        let idle_refresh = self.parts.settings.borrow().idle_refresh;
        let kernel = &self.parts.kernel;
        let tells_activity =
            kernel.is_attached("sched_switch") && kernel.is_attached("task_iterator");
        self.cgroups_read = 0;
        let due: Vec<AccountId> = self
            .tree
            .iter()
            .filter(|(_, account)| !account.is_dead())
            .filter(|(_, account)| {
                let fresh = account.last_read.is_some_and(|at| now - at < idle_refresh);
                !(tells_activity && is_idle(account) && fresh)
            })
            .map(|(id, _)| id)
            .collect();
        for id in due {
            self.read_now(Some(id));
        }
        for (_, account) in self.tree.iter_mut() {
            measure(account, now);
        }
    }

    /// Reads one workload's files.
    pub(super) fn read_now(&mut self, account: Option<AccountId>) {
        let Some(id) = account else {
            return;
        };
        let Some(account) = self.tree.get_mut(id) else {
            return;
        };
        if account.is_dead() {
            return;
        }
        let layout = &self.parts.layout;
        let placement = &account.placement;
        let counts_io = self.parts.kernel.is_attached(IO_PROBE);
        let reader = account.reader.get_or_insert_with(|| {
            let reader = Reader::open(layout, placement);
            if counts_io {
                reader.without_v1_io()
            } else {
                reader
            }
        });
        // A cgroup that vanished keeps its last reading; its removal is about to be told.
        let Ok(reading) = reader.read(&mut self.scratch) else {
            return;
        };
        // What was frozen before the agent came, no event tells.
        let was_frozen = account.last_read.is_none()
            && account.life == Life::Alive
            && reader
                .state(&mut self.scratch)
                .is_ok_and(|state| state.frozen == Some(true));
        let now = Instant::now();
        account.reading = reading;
        account.last_read = Some(now);
        account.switches_at_read = account.total_switches();
        account.ran_at_read = account.runs();
        self.cgroups_read += 1;
        if was_frozen {
            self.set_frozen(Some(id), true);
        }
        self.take_from_inner(id);
    }
}

/// Whether no task of it ran since its files were read. A task that has a CPU to itself is not
/// switched in again: it ran, and may have stopped since, when it was running at that time.
fn is_idle(account: &Account) -> bool {
    account.v2().is_some()
        && account.total_switches() == account.switches_at_read
        && !account.ran_at_read
        && !account.runs()
}

/// CPU since the tick before, in cores.
fn measure(account: &mut Account, now: Instant) {
    let Some(usage) = account.reading.cpu.map(|cpu| cpu.usage_ns) else {
        return;
    };
    account.cpu_cores = match account.measured.replace((usage, now)) {
        Some((before, at)) if now > at && !account.is_dead() => {
            usage.saturating_sub(before) as f64 / (now - at).as_nanos() as f64
        }
        Some(_) | None => 0.0,
    };
}

fn count(counts: &mut TaskCounts, sample: &TaskSample) {
    counts.threads += 1;
    counts.processes += u64::from(sample.tid == sample.tgid);
    let state = match sample.state {
        0 => &mut counts.running,
        state if state & STOPPED_OR_TRACED != 0 => &mut counts.stopped,
        state if state & UNINTERRUPTIBLE != 0 && state & NO_LOAD == 0 => {
            &mut counts.uninterruptible
        }
        _ => &mut counts.sleeping,
    };
    *state += 1;
}

fn add_counts(sum: &mut TaskCounts, more: &TaskCounts) {
    sum.processes += more.processes;
    sum.threads += more.threads;
    sum.running += more.running;
    sum.sleeping += more.sleeping;
    sum.stopped += more.stopped;
    sum.uninterruptible += more.uninterruptible;
}

fn smooth_load(account: &mut Account, counts: TaskCounts, decay: f64) {
    let smooth = |before: Option<f64>, now: u64| {
        Some(before.unwrap_or(0.0) * decay + now as f64 * (1.0 - decay))
    };
    let tasks = &mut account.tasks;
    let waiting = counts.uninterruptible;
    tasks.load_average_10s = smooth(tasks.load_average_10s, counts.running + waiting);
    tasks.load_d_average_10s = smooth(tasks.load_d_average_10s, waiting);
    tasks.counted = Some(counts);
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::account::Member;
    use super::*;
    use crate::cgroup::HierarchyId;
    use crate::identity::Identity;

    fn account(running: u64, ran_at_read: bool) -> Account {
        let mut account =
            Account::new(Identity::default(), HierarchyId::V2, SystemTime::UNIX_EPOCH);
        let path = "/a".to_owned();
        account
            .members
            .insert(HierarchyId::V2, Member { id: 7, path });
        account.tasks.counted = Some(TaskCounts {
            running,
            ..TaskCounts::default()
        });
        account.ran_at_read = ran_at_read;
        account
    }

    #[test]
    fn a_task_that_is_never_switched_is_not_idle() {
        assert!(is_idle(&account(0, false)));
        assert!(!is_idle(&account(1, true)), "it has a CPU to itself");
        assert!(!is_idle(&account(0, true)), "it ran on after the reading");
        assert!(!is_idle(&account(1, false)));
    }

    #[test]
    fn a_switch_or_no_cgroup_v2_is_not_idle() {
        let mut switched = account(0, false);
        switched.switches_at_read = 1;
        assert!(!is_idle(&switched));
        let mut elsewhere = account(0, false);
        elsewhere.members.clear();
        assert!(!is_idle(&elsewhere));
    }
}
