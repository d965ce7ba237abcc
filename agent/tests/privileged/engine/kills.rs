//! Agent and shims killed at any point, again and again: what was done is done, what was not is gone, and who
//! lost his shim is dead and can be started again.

mod victim;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bollard::models::{ContainerState, ContainerSummaryStateEnum};
use plimsoll::engine::ListQuery;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::harbour::{Harbour, Manned};
use super::wired::on_host;
use crate::launch::bundle::mounts;
use crate::support::poll;
use victim::{CHILD, SEPARATOR, STEADY};

/// Agents that are killed.
const LIVES: u32 = 45;
/// Shims that are killed in each of them, and in one that lives on.
const SHIMS: u32 = 8;
const STEADY_SHIMS: u32 = 95;
const _: () = assert!(LIVES * (1 + SHIMS) + STEADY_SHIMS >= 500);

/// A child, and what it said.
struct Victim {
    child: Mortal,
    reader: JoinHandle<Vec<String>>,
}

/// Dies with the test.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Victim {
    fn start(harbour: &Harbour, how: &str) -> Self {
        let directory = harbour.directory.display();
        let order = format!("{directory}{SEPARATOR}{}{SEPARATOR}{how}", harbour.parent);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::kills::victim::agent_of_the_kills"])
            .arg("--nocapture")
            .env(CHILD, order)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = stdout.lines().map_while(Result::ok);
        let mut begin = Vec::new();
        if how == STEADY {
            // It counts before it is disturbed.
            begin.extend(lines.by_ref().take_while(|line| line != "ready"));
        }
        let lines = move || begin.into_iter().chain(lines).collect();
        Self {
            child: Mortal(child),
            reader: std::thread::spawn(lines),
        }
    }
}

/// Another sequence each time.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        Self(u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap() | 1)
    }

    /// Below `limit`; xorshift.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    async fn pause(&mut self, most: Duration) {
        let nanoseconds = u64::try_from(most.as_nanos()).unwrap();
        tokio::time::sleep(Duration::from_nanos(self.below(nanoseconds))).await;
    }
}

/// The shims that live: those that hold something, make something, or wait.
fn shims(harbour: &Harbour) -> Vec<u32> {
    let home = format!(
        "{}/shims/cgroup.procs",
        harbour.parent.trim_start_matches('/')
    );
    let lists = mounts()
        .into_iter()
        .filter_map(|mount| fs::read_to_string(mount.join(&home)).ok());
    let pids: BTreeSet<u32> = lists
        .flat_map(|list| {
            list.lines()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    pids.into_iter().collect()
}

/// Kills any of them, once there is one. No other process: it is looked at again, once it is pinned.
async fn kill_a_shim(harbour: &Harbour, chance: &mut Chance) {
    super::eventually("a shim to kill", async || {
        let all = shims(harbour);
        if all.is_empty() {
            return None;
        }
        // One of two the oldest, which holds a container that runs, if any does.
        let any = usize::try_from(chance.below(all.len() as u64)).unwrap();
        let pid = all[if chance.below(2) == 0 { 0 } else { any }];
        let raw = Pid::from_raw(i32::try_from(pid).unwrap())?;
        let pinned = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        if !shims(harbour).contains(&pid) {
            return None;
        }
        pidfd_send_signal(&pinned, Signal::KILL).ok()
    })
    .await;
}

/// The last thing that was said of each.
fn said(lines: &[String]) -> Vec<(String, String)> {
    let mut last: Vec<(String, String)> = Vec::new();
    for line in lines {
        let mut words = line.split(' ');
        let (Some(what), Some(id)) = (words.next(), words.next()) else {
            continue;
        };
        if id.len() != 64 {
            continue;
        }
        assert!(what != "wrong", "{line}");
        last.retain(|(_, other)| other != id);
        last.push((what.to_owned(), id.to_owned()));
    }
    last
}

/// Ids of those that had been started and have ended: nobody else than who killed their shims ended them.
async fn compare(manned: &Manned, said: &[(String, String)], round: u32) -> Vec<String> {
    let mut ended = Vec::new();
    for (what, id) in said {
        let found = manned.engine.inspect(id, false).await.ok();
        let state = found.map(|found| found.state.unwrap());
        let status = state
            .as_ref()
            .map(|state| state.status.unwrap().to_string());
        let status = status.as_deref();
        let is_dead = state.as_ref().is_some_and(lost_its_shim);
        let fine = match what.as_str() {
            // The verb that followed may have been done, and not been said.
            "created" => matches!(status, Some("created" | "running")) || is_dead,
            "started" => status == Some("running") || is_dead,
            "failed" => state.as_ref().is_some_and(|state| {
                matches!(status, Some("created" | "exited"))
                    && state.error.as_ref().is_some_and(|error| !error.is_empty())
            }),
            "stopping" => matches!(status, Some("running" | "exited")),
            "stopped" => status == Some("exited"),
            "removing" => matches!(status, None | Some("running" | "exited" | "removing")),
            "removed" => status.is_none(),
            _ => true,
        };
        assert!(fine, "round {round}: {what} {id}, and it is {state:?}");
        if what == "started" && is_dead {
            ended.push(id.clone());
        }
    }
    ended
}

fn lost_its_shim(state: &ContainerState) -> bool {
    state.status.unwrap().to_string() == "exited"
        && matches!(state.exit_code, Some(137 | 255))
        && state.pid == Some(0)
        && state.running == Some(false)
        && state.error.as_deref() == Some("the process that held the container was killed")
}

/// Does what the engine says agree with what is on the host?
async fn agree(harbour: &Harbour, manned: &Manned, query: &ListQuery) -> Result<(), String> {
    let all = manned.engine.list(query.clone()).await.unwrap();
    let running = all
        .iter()
        .filter(|one| one.state == Some(ContainerSummaryStateEnum::RUNNING));
    let running: Vec<_> = running.map(|one| one.id.clone().unwrap()).collect();
    let is_known = |text: &str| running.iter().any(|id| text.contains(id.as_str()));
    let mut unknown = harbour.leftovers();
    // What they are mounted in goes with the agent.
    let common = format!("{}/run/rootfs ", harbour.directory.display());
    unknown
        .retain(|line| !line.starts_with("/proc/") && !is_known(line) && !line.contains(&common));
    // Every process is of a container that runs, and each of those has its first one, below a shim.
    for process in harbour.processes() {
        let path = process.split(' ').next().unwrap_or_default();
        let cgroups = fs::read_to_string(format!("{path}/cgroup")).unwrap_or_default();
        if !cgroups.is_empty() && !is_known(&cgroups) {
            unknown.push(process);
        }
    }
    let holders = shims(harbour);
    for id in &running {
        let pid = manned.inspect(id).await.state.unwrap().pid.unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut words = stat.rsplit_once(") ").unwrap_or_default().1.split(' ');
        let parent = words.nth(1).and_then(|parent| parent.parse().ok());
        if !parent.is_some_and(|parent| holders.contains(&parent)) {
            unknown.push(format!("{id} is said to run as {pid}, held by {parent:?}"));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{running:?} run; not as it should be: {unknown:#?}"
    ))
}

/// Interfaces and rules of the namespace that stands for the host.
fn host_state() -> (BTreeSet<String>, String) {
    let says = |program: &str, words: &str| {
        let output = Command::new(program).args(words.split(' ')).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let links = says("ip", "-br link");
    let names = links
        .lines()
        .filter_map(|line| line.split([' ', '@']).next());
    (
        names.map(str::to_owned).collect(),
        says("nft", "list ruleset"),
    )
}

#[test]
fn agents_and_shims_killed_at_any_point_lose_and_leave_nothing() {
    on_host(
        "agents_and_shims_killed_at_any_point_lose_and_leave_nothing",
        kill_again_and_again,
    );
}

async fn kill_again_and_again(harbour: Harbour) {
    let begin = Instant::now();
    let mut chance = Chance::new();
    // The network's bridge is made once.
    let before = {
        let manned = harbour.man().await;
        let mut body = harbour.body("true");
        body.host_config.as_mut().unwrap().network_mode = Some("bridge".to_owned());
        manned.run(body).await;
        manned.clear().await;
        host_state()
    };
    let (mut known, mut dead) = (0, 0);
    for round in 0..LIVES {
        let mut victim = Victim::start(&harbour, "");
        for _ in 0..SHIMS {
            // Long enough for containers to run, too.
            chance.pause(Duration::from_millis(80)).await;
            kill_a_shim(&harbour, &mut chance).await;
        }
        // While it takes over, too.
        chance.pause(Duration::from_millis(60)).await;
        victim.child.0.kill().unwrap();
        victim.child.0.wait().unwrap();
        let said = said(&victim.reader.join().unwrap());
        known += said.len();
        dead += settle_accounts(&harbour, &said, round).await;
        assert_eq!(host_state(), before, "round {round}");
    }
    let mut steady = Victim::start(&harbour, STEADY);
    for _ in 0..STEADY_SHIMS {
        kill_a_shim(&harbour, &mut chance).await;
        chance.pause(Duration::from_millis(60)).await;
    }
    drop(steady.child.0.stdin.take());
    assert!(steady.child.0.wait().unwrap().success());
    let lines = steady.reader.join().unwrap();
    let counts = lines
        .iter()
        .find_map(|line| line.strip_prefix("descriptors "));
    let (first, last) = counts.unwrap().split_once(' ').unwrap();
    let lists: Vec<_> = lines.iter().rev().take(6).collect();
    assert_eq!(
        first, last,
        "descriptors of an agent whose shims were killed: {lists:#?}"
    );
    known += said(&lines).len();
    // It removed them all itself.
    settle_accounts(&harbour, &[], LIVES).await;
    assert_eq!(host_state(), before);
    eprintln!(
        "{} kills, {known} containers, {dead} lost their shims, {:?}",
        LIVES * (1 + SHIMS) + STEADY_SHIMS,
        begin.elapsed()
    );
    assert!(known > 0, "some got as far as that");
}

/// The next agent: it knows, and cleans up; how many had lost their shims.
async fn settle_accounts(harbour: &Harbour, said: &[(String, String)], round: u32) -> usize {
    let manned = harbour.man().await;
    let query = ListQuery {
        all: true,
        ..ListQuery::default()
    };
    // Removals that had begun are finished, and what had just been killed is seen to end.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let all = manned.engine.list(query.clone()).await.unwrap();
        let is_removing = |state| state == Some(ContainerSummaryStateEnum::REMOVING);
        let busy = all.iter().any(|one| is_removing(one.state));
        match agree(harbour, &manned, &query).await {
            Ok(()) if !busy => break,
            Ok(()) => {}
            Err(wrong) => assert!(
                Instant::now() < deadline,
                "round {round}: {wrong}, {said:#?}"
            ),
        }
        assert!(
            Instant::now() < deadline,
            "round {round}: removals do not end"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = compare(&manned, said, round).await;
    assert!(
        ended.len() <= usize::try_from(SHIMS).unwrap(),
        "round {round}: {} ended, of whom {SHIMS} at most had their shims killed",
        ended.len()
    );
    for id in &ended {
        manned.engine.start(id).await.unwrap();
        assert_eq!(manned.status(id).await, "running", "round {round}");
    }
    manned.clear().await;
    poll("the end of all shims", || {
        (harbour.shims() == 0).then_some(())
    });
    let mut left = harbour.leftovers();
    for kept in ["data/containers", "run/workloads", "run/bundles"] {
        let entries = fs::read_dir(harbour.directory.join(kept)).unwrap();
        left.extend(entries.map(|entry| entry.unwrap().path().display().to_string()));
    }
    assert!(left.is_empty(), "round {round}: {left:#?}");
    ended.len()
}
