//! From accounts to a snapshot, and the end of the dead.

use std::sync::Arc;
use std::time::SystemTime;

use super::account::{Account, AccountId};
use super::host;
use super::keeper::Keeper;
use super::network::NetworkAccount;
use super::other::Sum;
use super::snapshot::{
    AgentReading, EngineState, Life, LossCounter, MapFill, ProbeReading, ProbeState, Snapshot,
    Unattributed, Workload,
};
use crate::cgroup::{Reading, kept_files};
use crate::identity::{Identity, Presence};
use crate::kernel::{Health, ProbeReport};

/// Counts kept of workloads that are gone, in case they come back.
const PAST_OOM_KILLS: usize = 10_000;

impl Keeper {
    pub(super) fn publish(&mut self) {
        let measured = self.parts.kernel.is_attached("skb_ingress");
        let switches_known = self.parts.kernel.is_attached("sched_switch");
        let mut workloads: Vec<_> = self
            .tree
            .iter()
            .filter(|(_, account)| !account.folded)
            .map(|(_, account)| Arc::new(workload(account, measured, switches_known)))
            .collect();
        workloads.sort_by(|a, b| a.identity.id.cmp(&b.identity.id));
        let folded = self
            .tree
            .iter()
            .filter(|(_, account)| account.folded)
            .count() as u64;
        // Its counters stay when the last workload in it goes.
        if folded > 0 || self.other.is_used() {
            let sum = self.other.sum(self.folded_tops());
            workloads.push(Arc::new(other(sum, self.started, measured)));
        }
        let mut host = host::read();
        host.oom_kills = self.oom_kills;
        self.account_for_cpu();
        for account in self
            .tree
            .iter_mut()
            .map(|(_, account)| account)
            .filter(|a| a.is_dead())
        {
            account.dead_since_tick.get_or_insert(self.tick);
        }
        let snapshot = Snapshot {
            tick: self.tick,
            taken: SystemTime::now(),
            host,
            workloads,
            folded_workloads: folded,
            unattributed: Unattributed {
                cpu_ns: self.unattributed_cpu_ns,
            },
            namespaces: self.namespaces.snapshot(),
            agent: self.about_agent(),
        };
        // Nobody listening is no error: the API may not be up yet.
        let _ = self.parts.snapshots.send(Arc::new(snapshot));
    }

    /// Folded accounts that are in no other folded one, so that nothing counts twice.
    fn folded_tops(&self) -> impl Iterator<Item = &Account> {
        self.tree
            .iter()
            .filter(|(_, account)| account.folded)
            .filter_map(|(id, account)| {
                let parent = self.tree.parent(id).and_then(|id| self.tree.get(id));
                (!parent.is_some_and(|parent| parent.folded)).then_some(account)
            })
    }

    /// Host = Σ top-level workloads, alive and gone, + unattributed. Readings of one tick are taken
    /// some milliseconds apart; a counter must not go back for that.
    fn account_for_cpu(&mut self) {
        let Some(host) = self.tree.host() else { return };
        let usage = |account: &Account| account.reading.cpu.map_or(0, |cpu| cpu.usage_ns);
        let total = self.tree.get(host).map_or(0, usage);
        let workloads: u64 = self
            .tree
            .iter()
            .filter(|(id, account)| !account.is_dead() && self.tree.parent(*id) == Some(host))
            .map(|(_, account)| usage(account))
            .sum();
        let rest = total.saturating_sub(workloads + self.dead_cpu_ns);
        self.unattributed_cpu_ns = self.unattributed_cpu_ns.max(rest);
    }

    fn about_agent(&mut self) -> AgentReading {
        let kernel = &mut self.parts.kernel;
        let named = |name: &str, count| LossCounter {
            name: name.to_owned(),
            count,
        };
        let mut losses: Vec<_> = kernel
            .maps
            .losses()
            .map(|(name, n)| named(name, n))
            .collect();
        let mut events = Vec::new();
        let mut maps = Vec::new();
        for (map, used, capacity) in kernel.maps.fill() {
            let (used, capacity) = (used as u64, u64::from(capacity));
            maps.push(MapFill {
                map: map.to_owned(),
                used,
                capacity,
            });
        }
        let mut undecodable = 0;
        for ring in [&mut kernel.rings.lifecycle, &mut kernel.rings.process] {
            let (name, counters) = (ring.name(), ring.counters());
            undecodable += counters.undecodable;
            events.push(named(name, counters.records));
            let (used, capacity) = (counters.peak_bytes, counters.capacity_bytes);
            maps.push(MapFill {
                map: format!("{name}_ring"),
                used,
                capacity,
            });
        }
        losses.push(named("undecodable", undecodable));
        let mut engines = self.parts.attribution.engines();
        engines.retain(|engine| engine.presence != Presence::Absent);
        AgentReading {
            started: Some(self.started),
            probes: kernel.report().into_iter().map(probe).collect(),
            losses,
            events,
            maps,
            reading_time: self.reading_time.clone(),
            last_reading_time: self.last_reading_time,
            cgroups_read: self.cgroups_read,
            open_files: kept_files(),
            engines: engines
                .into_iter()
                .map(|e| EngineState {
                    engine: e.name.to_owned(),
                    up: e.up(),
                    reason: e.reason().map(str::to_owned),
                })
                .collect(),
        }
    }

    /// Forgets the dead that a scrape has shown, that waited long enough for one, or that have no
    /// series of their own; and the oldest of them when they are more than the cap on workloads.
    pub(super) fn retire(&mut self) {
        let scraped = *self.parts.scraped.borrow();
        let (retain, most) = {
            let settings = self.parts.settings.borrow();
            (settings.retain_dead, settings.max_workloads)
        };
        let dead: Vec<(AccountId, bool)> = self
            .tree
            .iter()
            .filter_map(|(id, account)| {
                let Life::Dead { since } = account.life else {
                    return None;
                };
                let shown = account.dead_since_tick.is_some_and(|tick| tick <= scraped);
                let waited = since.elapsed().is_ok_and(|waited| waited > retain);
                Some((id, shown || waited || account.folded))
            })
            .collect();
        let too_many = dead.len().saturating_sub(most);
        for (n, (id, over)) in dead.into_iter().enumerate() {
            if over || n < too_many {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: AccountId) {
        let Some(account) = self.tree.forget(id) else {
            return;
        };
        if account.folded {
            self.other.retire(&account);
        }
        if account.oom_kills > 0 && self.past_oom_kills.len() < PAST_OOM_KILLS {
            self.past_oom_kills
                .insert(account.id.to_string(), account.oom_kills);
        }
        if let Some(key) = account.identity.details_key() {
            self.parts.attribution.forget(key);
        }
    }
}

fn workload(account: &Account, measured: bool, switches_known: bool) -> Workload {
    Workload {
        identity: Arc::clone(&account.identity),
        placement: Arc::clone(&account.placement),
        life: account.life,
        created: account.created,
        reading: reading(account),
        network: account.network.snapshot(measured && in_v2(account)),
        tasks: account.tasks,
        oom_kills: account.oom_kills,
        switches: (switches_known && in_v2(account)).then_some(account.total_switches()),
        execs: account.execs,
        exits: account.exits,
        foreign_namespace_enters: account.foreign_namespace_enters,
        cpu_cores: account.cpu_cores,
    }
}

/// The files' reading, with the probe's I/O where the files do not count. A cgroup that was gone
/// before its files were read still has what the probe counted.
fn reading(account: &Account) -> Reading {
    let mut reading = account.reading.clone();
    if account.counted_io.is_some() {
        reading.io.clone_from(&account.counted_io);
    }
    reading
}

/// Whether the kernel's maps, which are keyed by v2 ids, can tell of it. The dead once were told of.
fn in_v2(account: &Account) -> bool {
    account.v2().is_some() || (account.is_dead() && account.total_switches() > 0)
}

fn other(sum: Sum, since: SystemTime, measured: bool) -> Workload {
    let mut network = NetworkAccount::default();
    network.traffic.set_sum(sum.network);
    let identity = Identity {
        id: "other".to_owned(),
        ..Identity::default()
    };
    Workload {
        reading: sum.reading,
        network: network.snapshot(measured),
        oom_kills: sum.oom_kills,
        switches: Some(sum.switches),
        execs: sum.execs,
        exits: sum.exits,
        foreign_namespace_enters: sum.foreign_namespace_enters,
        ..Workload::new(Arc::new(identity), Arc::default(), since)
    }
}

fn probe(report: ProbeReport) -> ProbeReading {
    ProbeReading {
        name: report.probe.program.to_owned(),
        hook: report.probe.hook_name(),
        state: match report.health {
            Health::Attached => ProbeState::Attached,
            Health::Degraded(reason) => ProbeState::Degraded(reason),
            Health::Unsupported(reason) => ProbeState::Unsupported(reason),
            Health::Failed(reason) => ProbeState::Failed(reason),
            Health::Disabled => ProbeState::Disabled,
        },
        run_count: report.run_count,
        run_ns: report.run_ns,
        verified_instructions: report.verified_instructions,
    }
}
